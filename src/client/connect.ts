// The client's end of a session (PROTOCOL.md): messages in order, each once, over whatever the way there lets through.
// The ladder says on which carrier; this says what is new, keeps what is not acknowledged, and tells the application.
// Long because it is one state: what came, what is kept, and who is to be told.

import { ChannelError } from "../base/channel-error.ts";
import type { Timer } from "../base/clock.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { CloseRecord, OpenRecord, SessionRecord } from "../codec/session-record.ts";
import { ACK_MS, Session } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierKind, CarrierListener } from "./carrier.ts";
import type { Connection, ConnectionClose, ConnectionState, ConnectOptions, Message, Opening } from "./connection.ts";
import { Endpoint } from "./endpoint.ts";
import { type Environment, platform } from "./environment.ts";
import { HttpCarrier } from "./http-carrier.ts";
import { iterate } from "./iterate.ts";
import { Ladder } from "./ladder.ts";
import { WebSocketCarrier } from "./websocket-carrier.ts";

type AnyCodec = MessageCodec<unknown, unknown>;

interface Events {
  message: unknown;
  open: Opening<unknown>;
  state: ConnectionState;
  close: ConnectionClose;
  error: unknown;
}

const CARRIERS: readonly CarrierKind[] = ["websocket", "stream", "poll"];
const MAX_BUFFERED_BYTES = 1_048_576;
/** PROTOCOL.md, "The end": a WebSocket that the server ends with one of these ends the session. */
const FATAL_CODES: readonly (number | undefined)[] = [1002, 1003, 1007, 1008, 1009, 1011];
/** PROTOCOL.md, "Taking up": somebody else has the session. */
const REPLACED = 4409;
/** What a refused request would be on a WebSocket: to ask again would be no use. */
const FATAL_STATUS: Readonly<Record<number, number>> = { 401: 1008, 403: 1008, 413: 1009 };

/** What won, by origin, for the life of the page. */
const winners = new Map<string, CarrierKind>();

/**
 * Connects to a session (`openSession`) of a server, and stays connected until `close`. Returns at once.
 * With `codec`, messages are values: see `jsonMessages`. Throws TypeError for a URL that is none, BAD_OPTION for
 * `carriers` of which there is none here.
 */
export function connect<In, Out>(
  url: string | URL,
  options: ConnectOptions & { readonly codec: MessageCodec<In, Out> },
): Connection<In, Out>;
export function connect(url: string | URL, options?: ConnectOptions): Connection;
export function connect(
  url: string | URL,
  options: ConnectOptions & { readonly codec?: AnyCodec } = {},
): Connection<unknown, unknown> {
  return new SessionConnection(url, options);
}

class SessionConnection implements Connection<unknown, unknown> {
  readonly #endpoint: Endpoint;
  readonly #options: ConnectOptions;
  readonly #environment: Environment;
  readonly #codec: AnyCodec | undefined;
  readonly #ladder: Ladder;
  readonly #listeners: { readonly [E in keyof Events]: Set<(event: Events[E]) => void> } = {
    message: new Set(),
    open: new Set(),
    state: new Set(),
    close: new Set(),
    error: new Set(),
  };
  readonly #unwatch: () => void;
  readonly #onAbort = (): void => void this.close();
  #state: ConnectionState = "connecting";
  #isOffline = false;
  #session: Session = new Session();
  #token: string | undefined;
  /** What has, or had last, the session. */
  #carrier: Carrier | undefined;
  /** With a codec: what was given for the records that are kept. */
  #values: unknown[] = [];
  /** The number of the last record that came on this carrier. */
  #arrived = 0;
  /** The number of the last record that may have left. */
  #written = 0;
  /** What was acknowledged at the last beat, and at how many in a row it was the same while something was kept. */
  #owedAfter = 0;
  #owedBeats = 0;
  #ackTimer: Timer | undefined;
  #waiting: (() => void)[] = [];

  constructor(url: string | URL, options: ConnectOptions & { readonly codec?: AnyCodec }) {
    const { carriers = CARRIERS, environment = platform, signal, codec, backoff = {} } = options;
    this.#endpoint = new Endpoint(url, options);
    this.#options = options;
    this.#environment = environment;
    this.#codec = codec;
    const rungs = carriers.filter((kind) => kind !== "websocket" || this.#endpoint.WebSocket !== undefined);
    if (rungs.length === 0) throw new ChannelError("BAD_OPTION", "no carrier: this platform has no WebSocket");
    const rung = rungs.indexOf(winners.get(this.#endpoint.origin)!);
    this.#ladder = new Ladder(rungs, Math.max(rung, 0), environment, backoff, {
      start: (kind, listener) => this.#start(kind, listener),
      onOpen: (carrier, record) => this.#opened(carrier, record),
      onRecord: (record) => this.#arrive(record),
      isStuck: () => this.#isStuck(),
      onDown: (end, wasRaced) => this.#down(end, wasRaced),
      onFailure: (end) => this.#failed(end),
    });
    this.#unwatch = environment.watch((event) => {
      if (event !== "awake") this.#isOffline = event === "offline";
      if (this.#state === "reconnecting" || this.#state === "offline") this.#become(this.#away);
      this.#ladder.check(event !== "awake");
    });
    signal?.addEventListener("abort", this.#onAbort);
    if (signal?.aborted) this.close();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get transport(): CarrierKind | undefined {
    return this.#ladder.current?.kind;
  }

  get bufferedAmount(): number {
    return this.#session.bufferedAmount;
  }

  send(value: unknown): boolean {
    const data = this.#codec === undefined ? toMessage(value) : this.#codec.encode(value);
    const { maxBufferedBytes = MAX_BUFFERED_BYTES } = this.#options;
    if (this.#state === "closed" || this.#session.bufferedAmount >= maxBufferedBytes) return false;
    this.#session.send({ type: "message", data });
    if (this.#codec !== undefined) this.#values.push(value);
    this.#ladder.current?.flush();
    return true;
  }

  close(code = 1000, reason = ""): boolean {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new ChannelError("BAD_CLOSE", `code ${code}`);
    if (new TextEncoder().encode(reason).length > 123) throw new ChannelError("BAD_CLOSE", "reason over 123 bytes");
    if (this.#state === "closed") return false;
    this.#session.send({ type: "close", code, reason });
    this.#end("client", code, reason);
    return true;
  }

  drained(): Promise<void> {
    if (this.#session.bufferedAmount === 0 || this.#state === "closed") return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  onMessage(fn: (message: unknown) => void): () => void {
    return this.#on("message", fn);
  }

  onOpen(fn: (opening: Opening<unknown>) => void): () => void {
    return this.#on("open", fn);
  }

  onState(fn: (state: ConnectionState) => void): () => void {
    return this.#on("state", fn);
  }

  onClose(fn: (close: ConnectionClose) => void): () => void {
    return this.#on("close", fn);
  }

  onError(fn: (error: unknown) => void): () => void {
    return this.#on("error", fn);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown, undefined> {
    return iterate(this);
  }

  #start(kind: CarrierKind, listener: CarrierListener): Carrier {
    const resumption = { token: this.#token, after: this.#session.received };
    if (kind === "websocket") return new WebSocketCarrier(this.#endpoint, resumption, listener);
    const { clock } = this.#environment;
    return new HttpCarrier(kind, this.#endpoint, resumption, listener, (attempt) => {
      return new Promise((resolve) => void clock.setTimer(resolve, this.#ladder.delay(attempt)));
    });
  }

  #opened(carrier: Carrier, record: OpenRecord): void {
    this.#written = Math.max(this.#written, this.#carrier?.written ?? 0);
    const isNext = record.first <= this.#session.received + 1;
    const isResumed = record.resumed && record.session === this.#token && isNext;
    this.#arrived = record.first - 1;
    if (isResumed) this.#acknowledged(record.received);
    // The next poll of those that have the session already.
    if (isResumed && carrier === this.#carrier) return;
    const session = isResumed ? "resumed" : this.#token === undefined ? "new" : "lost";
    const unacknowledged = isResumed ? [] : this.#renew();
    this.#token = record.session;
    this.#carrier = carrier;
    this.#owedBeats = 0;
    winners.set(this.#endpoint.origin, carrier.kind);
    carrier.begin(this.#session, record);
    this.#become("open");
    this.#emit("open", { session, transport: carrier.kind, unacknowledged });
  }

  /** Another session: what has never left goes out in it. Returns what may have left. */
  #renew(): unknown[] {
    const old = this.#session;
    const records = old.after();
    const count = Math.max(this.#written - old.acknowledged, 0);
    const values =
      this.#codec === undefined ? records.map((record) => record.type === "message" && record.data) : this.#values;
    this.#session = new Session();
    for (const record of records.slice(count)) this.#session.send(record);
    this.#values = this.#values.slice(count);
    this.#written = 0;
    this.#settle();
    return values.slice(0, count);
  }

  #arrive(record: SessionRecord): void {
    if (record.type === "ack") this.#acknowledged(record.received);
    if (record.type !== "message" && record.type !== "close") return;
    this.#arrived += 1;
    const isNew = this.#session.receive(this.#arrived, record);
    if (isNew && record.type === "close") this.#closed(record);
    else if (isNew && record.type === "message") this.#deliver(record.data);
    if (this.#state === "closed") return;
    if (this.#session.isAckDue) this.#acknowledge();
    else this.#ackTimer ??= this.#environment.clock.setTimer(() => this.#acknowledge(), ACK_MS);
  }

  #deliver(data: Message): void {
    let message: unknown = data;
    try {
      if (this.#codec !== undefined) message = this.#codec.decode(data);
    } catch (error) {
      this.#emit("error", error);
      return;
    }
    this.#emit("message", message);
  }

  #closed({ code, reason, retryMs }: CloseRecord): void {
    this.#acknowledge();
    if (retryMs === undefined) this.#end("server", code, reason);
    else {
      this.#ladder.restart(retryMs);
      this.#become(this.#away);
    }
  }

  #down(end: CarrierEnd, wasRaced: boolean): boolean {
    if (end.error !== undefined) this.#emit("error", end.error);
    const { code, reason = "" } = end;
    // A carrier of our own that came too late may have replaced this one.
    if (FATAL_CODES.includes(code) || (code === REPLACED && !wasRaced)) {
      this.#end("server", code!, reason);
      return false;
    }
    return this.#failed({ ...end, error: undefined }) && this.#become(this.#away);
  }

  #failed({ status = 0, error }: CarrierEnd): boolean {
    if (error !== undefined) this.#emit("error", error);
    const code = FATAL_STATUS[status];
    if (code !== undefined) this.#end("server", code, `HTTP ${status}`);
    else if (status >= 400 && status < 500 && status !== 410) {
      this.#emit("error", new ChannelError("BAD_HANDSHAKE", `HTTP ${status}`));
    }
    return this.#state !== "closed";
  }

  #isStuck(): boolean {
    const { acknowledged, bufferedAmount } = this.#session;
    this.#owedBeats = bufferedAmount > 0 && acknowledged === this.#owedAfter ? this.#owedBeats + 1 : 0;
    this.#owedAfter = acknowledged;
    return this.#owedBeats > 2;
  }

  get #away(): ConnectionState {
    return this.#isOffline ? "offline" : "reconnecting";
  }

  #acknowledge(): void {
    this.#environment.clock.clearTimer(this.#ackTimer);
    this.#ackTimer = undefined;
    if (this.#session.hasAck) this.#ladder.current?.acknowledge();
  }

  #acknowledged(number: number): void {
    const before = this.#session.acknowledged;
    if (!this.#session.acknowledge(number)) return;
    this.#values.splice(0, number - before);
    this.#settle();
  }

  #settle(): void {
    if (this.#session.bufferedAmount > 0 && this.#state !== "closed") return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #end(by: ConnectionClose["by"], code: number, reason: string): void {
    if (!this.#become("closed")) return;
    this.#ladder.stop();
    this.#unwatch();
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#environment.clock.clearTimer(this.#ackTimer);
    this.#settle();
    this.#emit("close", { by, code, reason });
  }

  /** False when it is closed for ever. */
  #become(state: ConnectionState): boolean {
    if (this.#state === "closed") return false;
    if (this.#state === state) return true;
    this.#state = state;
    this.#emit("state", state);
    return true;
  }

  #on<E extends keyof Events>(event: E, fn: (event: Events[E]) => void): () => void {
    this.#listeners[event].add(fn);
    return () => void this.#listeners[event].delete(fn);
  }

  #emit<E extends keyof Events>(name: E, event: Events[E]): void {
    for (const fn of this.#listeners[name]) {
      try {
        fn(event);
      } catch (error) {
        if (name !== "error" && this.#listeners.error.size > 0) this.#emit("error", error);
        // With nobody listening a bug must stay loud.
        else
          queueMicrotask(() => {
            throw error;
          });
      }
    }
  }
}

function toMessage(value: unknown): Message {
  if (typeof value === "string") return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new ChannelError("BAD_DATA", "send text, an ArrayBuffer or a view of one");
}
