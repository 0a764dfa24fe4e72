// The client's end of a session (PROTOCOL.md): messages in order, each once, over whatever the way there lets through.
// The ladder says on which carrier; this says what is new, keeps what is not acknowledged, and tells the application.
// Long because it is one state: what came, what is kept, and who is to be told.

import { ChannelError } from "../base/channel-error.ts";
import type { Clock, Timer } from "../base/clock.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { CloseRecord, NumberedRecord, OpenRecord, ServerRecord } from "../codec/session-record.ts";
import { ACK_MS, Session } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierKind, CarrierListener, Kept, Query } from "./carrier.ts";
import type { Connection, ConnectionClose, ConnectionState, ConnectOptions, Message, Opening } from "./connection.ts";
import { Endpoint } from "./endpoint.ts";
import { platform } from "./environment.ts";
import { HttpCarrier } from "./http-carrier.ts";
import { iterate } from "./iterate.ts";
import { fullJitter, Ladder } from "./ladder.ts";
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

/** Without a codec. */
const PLAIN: AnyCodec = { encode: toMessage, decode: (message) => message };

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
  readonly #maxBufferedBytes: number;
  readonly #clock: Clock;
  readonly #codec: AnyCodec;
  readonly #ladder: Ladder;
  readonly #listeners: { readonly [E in keyof Events]: Set<(event: Events[E]) => void> } = {
    message: new Set(),
    open: new Set(),
    state: new Set(),
    close: new Set(),
    error: new Set(),
  };
  /** Takes away what listens to the page and to the signal. */
  readonly #release: () => void;
  #state: ConnectionState = "connecting";
  #isOffline = false;
  #session: Session<Kept> = new Session();
  #token: string | undefined;
  /** What has, or had last, the session. */
  #carrier: Carrier | undefined;
  /** The number of the last record that came on this carrier. */
  #arrived = 0;
  /** At how many beats in a row something was kept, and nothing acknowledged since. */
  #owedBeats = 0;
  #ackTimer: Timer | undefined;
  #waiting: (() => void)[] = [];

  constructor(url: string | URL, options: ConnectOptions & { readonly codec?: AnyCodec }) {
    const {
      carriers = CARRIERS,
      environment = platform,
      signal,
      codec = PLAIN,
      backoff = {},
      maxBufferedBytes = MAX_BUFFERED_BYTES,
    } = options;
    this.#endpoint = new Endpoint(url, options);
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#clock = environment.clock;
    this.#codec = codec;
    const rungs = carriers.filter((kind) => kind !== "websocket" || this.#endpoint.WebSocket !== undefined);
    if (rungs.length === 0) throw new ChannelError("BAD_OPTION", "no carrier: no WebSocket here");
    const rung = Math.max(rungs.indexOf(winners.get(this.#endpoint.origin)!), 0);
    this.#ladder = new Ladder(rungs, rung, this.#clock, fullJitter(backoff, environment), {
      start: (kind, listener) => this.#start(kind, listener),
      onRecord: (carrier, record) => this.#arrive(carrier, record),
      isStuck: () => this.#isStuck(),
      onEnd: (end, wasOpen, wasRaced) => this.#lost(end, wasOpen, wasRaced),
    });
    const unwatch = environment.watch((event) => {
      const isCertain = event !== "awake";
      if (isCertain) this.#isOffline = event === "offline";
      if (this.#look()) this.#ladder.check(isCertain);
    });
    const onAbort = (): void => void this.close();
    signal?.addEventListener("abort", onAbort);
    this.#release = () => {
      unwatch();
      signal?.removeEventListener("abort", onAbort);
    };
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
    const data = this.#codec.encode(value);
    if (this.#state === "closed" || this.#session.bufferedAmount >= this.#maxBufferedBytes) return false;
    this.#session.send({ type: "message", data, value });
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
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#settle();
    });
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
    const resumption = (): Query =>
      this.#token === undefined ? {} : { session: this.#token, after: `${this.#session.received}` };
    return kind === "websocket"
      ? new WebSocketCarrier(this.#endpoint, resumption, listener)
      : new HttpCarrier(kind, this.#endpoint, resumption, listener);
  }

  #arrive(carrier: Carrier, record: ServerRecord): void {
    if (record.type === "open") this.#opened(carrier, record);
    else if (record.type === "ack") this.#acknowledged(record.received);
    else if (record.type !== "heartbeat") this.#take(record);
  }

  #take(record: NumberedRecord): void {
    this.#arrived += 1;
    if (this.#session.receive(this.#arrived, record)) {
      if (record.type === "message") this.#deliver(record.data);
      else this.#closed(record);
    }
    if (this.#state === "closed") return;
    if (this.#session.isAckDue) this.#acknowledge();
    else this.#ackTimer ??= this.#clock.setTimer(() => this.#acknowledge(), ACK_MS);
  }

  #opened(carrier: Carrier, record: OpenRecord): void {
    this.#arrived = record.first - 1;
    const isNext = this.#arrived <= this.#session.received;
    const isResumed = record.resumed && record.session === this.#token && isNext;
    if (isResumed) this.#acknowledged(record.received);
    // The next poll of those that have the session already.
    if (isResumed && carrier === this.#carrier) return;
    const session = isResumed ? "resumed" : this.#token === undefined ? "new" : "lost";
    const unacknowledged = isResumed ? [] : this.#renew(record.received);
    this.#token = record.session;
    this.#carrier = carrier;
    this.#owedBeats = 0;
    winners.set(this.#endpoint.origin, carrier.kind);
    carrier.begin(this.#session, record);
    this.#become("open");
    this.#emit("open", { session, transport: carrier.kind, unacknowledged });
  }

  /** Another session: what has never left goes out in it. Returns what may have left. */
  #renew(received: number): unknown[] {
    const records = this.#session.after();
    const unacknowledged: unknown[] = [];
    this.#session = new Session();
    // Both are 0, unless it is one that the server has kept and of which records are lost all the same.
    this.#session.sent = this.#session.acknowledged = received;
    this.#session.received = this.#arrived;
    for (const record of records) {
      if (record.mayHaveLeft) unacknowledged.push(record.value);
      else this.#session.send(record);
    }
    this.#settle();
    return unacknowledged;
  }

  #deliver(data: Message): void {
    try {
      this.#emit("message", this.#codec.decode(data));
    } catch (error) {
      this.#emit("error", error);
    }
  }

  #closed({ code, reason, retryMs }: CloseRecord): void {
    if (retryMs === undefined) this.#end("server", code, reason);
    else {
      this.#ladder.restart(retryMs);
      this.#look();
    }
  }

  /** A carrier is over. False when the connection is. */
  #lost(
    { status = 0, code, reason = `HTTP ${status}`, error }: CarrierEnd,
    wasOpen: boolean,
    wasRaced: boolean,
  ): boolean {
    if (error !== undefined) this.#emit("error", error);
    // A carrier of our own that came too late may have replaced this one.
    const isFatal = wasOpen && (FATAL_CODES.includes(code) || (code === REPLACED && !wasRaced));
    const fatal = isFatal ? code : FATAL_STATUS[status];
    if (fatal !== undefined) this.#end("server", fatal, reason);
    else if (status >= 400 && status < 500 && status !== 410) {
      this.#emit("error", new ChannelError("BAD_HANDSHAKE", reason));
    }
    return this.#look();
  }

  #isStuck(): boolean {
    this.#owedBeats = this.#session.bufferedAmount > 0 ? this.#owedBeats + 1 : 0;
    return this.#owedBeats > 2;
  }

  /** Says so when there is no carrier any more. False when the connection is closed. */
  #look(): boolean {
    if (this.#state !== "connecting" && this.transport === undefined) {
      this.#become(this.#isOffline ? "offline" : "reconnecting");
    }
    return this.#state !== "closed";
  }

  #acknowledge(): void {
    this.#clock.clearTimer(this.#ackTimer);
    this.#ackTimer = undefined;
    if (this.#session.hasAck) this.#ladder.current?.acknowledge();
  }

  #acknowledged(number: number): void {
    if (!this.#session.acknowledge(number)) return;
    this.#owedBeats = 0;
    this.#settle();
  }

  #settle(): void {
    if (this.#session.bufferedAmount > 0 && this.#state !== "closed") return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #end(by: ConnectionClose["by"], code: number, reason: string): void {
    if (!this.#become("closed")) return;
    this.#ladder.stop();
    this.#release();
    this.#clock.clearTimer(this.#ackTimer);
    this.#settle();
    this.#emit("close", { by, code, reason });
  }

  /** False when it is that already, or closed for ever. */
  #become(state: ConnectionState): boolean {
    if (this.#state === "closed" || this.#state === state) return false;
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
  throw new ChannelError("BAD_DATA", "neither text nor bytes");
}
