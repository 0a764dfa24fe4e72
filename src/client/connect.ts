// The client's end of a session (PROTOCOL.md): messages in order, each once, over whatever the way there lets through.
// The ladder says on which carrier; this says what is new, keeps what is not acknowledged, and tells the application.
// Long because it is one state: what came, what is kept, and who is to be told.

import { ChannelError } from "../base/channel-error.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { callSync, guard } from "../base/guard.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { CloseRecord, NumberedRecord, OpenRecord, ServerRecord } from "../codec/session-record.ts";
import { ACK_MS } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierKind, CarrierListener, Query } from "./carrier.ts";
import { ClientSession, type Kept } from "./client-session.ts";
import type { Connection, ConnectionClose, ConnectionState, ConnectOptions, Message, Opening } from "./connection.ts";
import { Endpoint } from "./endpoint.ts";
import { capped, platform } from "./environment.ts";
import { HttpCarrier } from "./http-carrier.ts";
import { iterate } from "./iterate.ts";
import { fullJitter, Ladder } from "./ladder.ts";
import { Listeners } from "./listeners.ts";
import { CARRIERS, checkOptions } from "./options.ts";
import { WebSocketCarrier } from "./websocket-carrier.ts";

type AnyCodec = MessageCodec<unknown, unknown>;

interface Events {
  message: unknown;
  open: Opening<unknown>;
  state: ConnectionState;
  close: ConnectionClose;
  error: unknown;
}

const MAX_BUFFERED_BYTES = 1_048_576;
/** How long what was sent before `close` is carried out without a carrier. */
const LINGER_MS = 10_000;
/** PROTOCOL.md, "The end": a WebSocket that the server ends with one of these ends the session. */
const FATAL_CODES: readonly (number | undefined)[] = [1002, 1003, 1007, 1008, 1009, 1011];
/** PROTOCOL.md, "Taking up": somebody else has the session. */
const REPLACED = 4409;
/** What a refused request would be on a WebSocket: to ask again would be no use. */
const FATAL_STATUS: Readonly<Record<number, number>> = { 401: 1008, 403: 1008, 413: 1009 };

/** What won, for the life of the page: by origin, and by what there was to choose from. */
const winners = new Map<string, CarrierKind>();

/**
 * Connects to a session (`openSession`) of a server, and stays connected until `close`. Returns at once.
 * With `codec`, messages are values: see `jsonMessages`. Throws TypeError for a URL that is none, BAD_OPTION for options
 * that make no sense.
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
  checkOptions(options);
  return new SessionConnection(url, options);
}

class SessionConnection implements Connection<unknown, unknown> {
  readonly opened: Promise<Opening<unknown>>;
  readonly closed: Promise<ConnectionClose>;
  readonly #endpoint: Endpoint;
  readonly #maxBufferedBytes: number;
  readonly #clock: Clock;
  readonly #codec: AnyCodec | undefined;
  readonly #way: string;
  readonly #ladder: Ladder;
  readonly #debug: (line: string) => void;
  readonly #listeners: { readonly [E in keyof Events]: Listeners<Events[E]> } = {
    message: new Listeners(),
    open: new Listeners(),
    state: new Listeners(),
    close: new Listeners(),
    error: new Listeners(),
  };
  /** Takes away what listens to the page and to the signal. */
  readonly #release: () => void;
  #state: ConnectionState = "connecting";
  #isOffline = false;
  #session: ClientSession = new ClientSession();
  #token: string | undefined;
  /** The `try` of the last request for the session. */
  #tries = 0;
  /** What has, or had last, the session. */
  #carrier: Carrier | undefined;
  /** The number of the last record that came on this carrier. */
  #arrived = 0;
  /** Sessions in a row that were lost before anything had come or was acknowledged in them. */
  #losses = 0;
  #ackTimer: Timer | undefined;
  readonly #waiting: { resolve(): void; reject(error: unknown): void }[] = [];
  /** Loops that are behind. */
  readonly #holders = new Set<object>();
  /** Of the message that is told now. */
  #size = 0;
  #sending: Kept | undefined;
  #close: ConnectionClose | undefined;
  /** The listeners of `close` were told. */
  #isTold = false;
  /** Present while what was sent before `close` waits for a carrier. */
  #lingerTimer: Timer | undefined;
  /** Closed, and nothing goes out any more. */
  #isOver = false;

  constructor(url: string | URL, options: ConnectOptions & { readonly codec?: AnyCodec }) {
    const {
      carriers = CARRIERS,
      environment = platform,
      signal,
      codec,
      backoff = {},
      maxBufferedBytes = MAX_BUFFERED_BYTES,
      debug,
    } = options;
    this.#endpoint = new Endpoint(url, options);
    this.#maxBufferedBytes = maxBufferedBytes;
    this.#clock = capped(environment.clock);
    this.#codec = codec;
    const print = debug === true ? console.log : debug || (() => {});
    this.#debug = (line) =>
      void guard(
        // Some platforms name the URL in their errors: its query has the token, and what `params` has.
        () => print(`unichannel ${line.replace(/\?[^\s)]+/g, "?…")}`),
        () => {},
      );
    const rungs = carriers.filter((kind) => kind !== "websocket" || this.#endpoint.WebSocket !== undefined);
    if (rungs.length === 0) throw new ChannelError("BAD_OPTION", "no carrier: no WebSocket here");
    this.#way = `${this.#endpoint.origin} ${rungs}`;
    this.opened = new Promise((resolve, reject) => {
      this.onOpen(resolve);
      this.onClose(({ code, reason }) => reject(new ChannelError("CONNECTION_CLOSED", `${code} ${reason}`)));
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => this.onClose(resolve));
    const rung = Math.max(rungs.indexOf(winners.get(this.#way)!), 0);
    this.#ladder = new Ladder(rungs, rung, this.#clock, fullJitter(backoff, environment), {
      start: (kind, listener) => this.#start(kind, listener),
      onRecord: (carrier, record) => this.#arrive(carrier, record),
      onEnd: (kind, end, wasOpen) => this.#lost(kind, end, wasOpen),
      onFailure: (failures, delayMs) => {
        const text = failures.join("; ");
        this.#debug(`failed: ${text}; next in ${Math.round(delayMs)} ms`);
        const cause = new AggregateError(failures, text);
        this.#emit("error", new ChannelError("CONNECT_FAILED", text, { cause }));
      },
      onFinish: () => this.#state === "closed" && this.#finished(),
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
    const codec = this.#codec;
    const data = toMessage(codec === undefined ? value : callSync("codec.encode", () => codec.encode(value)));
    if (this.#state === "closed" || this.#session.bufferedAmount >= this.#maxBufferedBytes) return false;
    const record: Kept = { type: "message", data, value };
    this.#session.send(record);
    this.#sending = record;
    this.#ladder.current?.flush();
    this.#sending = undefined;
    if (record.refusal !== undefined) throw record.refusal;
    return true;
  }

  close(code = 1000, reason = ""): boolean {
    if (code !== 1000 && !(code >= 3000 && code <= 4999)) throw new ChannelError("BAD_CLOSE", `code ${code}`);
    if (new TextEncoder().encode(reason).length > 123) throw new ChannelError("BAD_CLOSE", "reason over 123 bytes");
    if (this.#state === "closed") return false;
    const isLeft = this.transport === undefined && (this.#token !== undefined || this.bufferedAmount > 0);
    const unacknowledged = this.transport === undefined ? this.#unacknowledged() : [];
    this.#session.send({ type: "close", code, reason });
    this.#end({ by: "client", code, reason }, unacknowledged, isLeft);
    return true;
  }

  drained(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#settle();
    });
    promise.catch(() => {});
    return promise;
  }

  onMessage(fn: (message: unknown) => void): () => void {
    return this.#listeners.message.add(fn);
  }

  onOpen(fn: (opening: Opening<unknown>) => void): () => void {
    return this.#listeners.open.add(fn);
  }

  onState(fn: (state: ConnectionState) => void): () => void {
    return this.#listeners.state.add(fn);
  }

  onClose(fn: (close: ConnectionClose) => void): () => void {
    // While `close` is told, too: one that renews itself would never end.
    if (!this.#isTold) return this.#listeners.close.add(fn);
    const late = new Listeners<ConnectionClose>();
    queueMicrotask(() => this.#tellClose(late));
    return late.add(fn);
  }

  onError(fn: (error: unknown) => void): () => void {
    return this.#listeners.error.add(fn);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<unknown, undefined> {
    return iterate({
      state: this.#state,
      onMessage: (fn) => this.onMessage(fn),
      onClose: (fn) => this.onClose(fn),
      size: () => this.#size,
      hold: (by, isHeld) => this.#hold(by, isHeld),
    });
  }

  #start(kind: CarrierKind, listener: CarrierListener): Carrier {
    const resumption = (): Query => {
      const attempt = { try: `${++this.#tries}` };
      if (this.#token === undefined) return attempt;
      return { session: this.#token, after: `${this.#session.said}`, ...attempt };
    };
    this.#debug(`${kind}: trying`);
    return kind === "websocket"
      ? new WebSocketCarrier(this.#endpoint, resumption, listener)
      : new HttpCarrier(kind, this.#endpoint, resumption, listener);
  }

  #arrive(carrier: Carrier, record: ServerRecord): void {
    if (record.type === "open") this.#opened(carrier, record);
    else if (record.type === "ack") {
      this.#acknowledged(record.received);
      // The server's application may wait for ours (PROTOCOL.md, "Acknowledgements").
      this.#acknowledge();
    } else if (record.type !== "heartbeat") this.#take(record);
  }

  #take(record: NumberedRecord): void {
    this.#arrived += 1;
    if (this.#session.receive(this.#arrived, record)) {
      this.#losses = 0;
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
    const isSame = carrier === this.#carrier;
    // The next poll of those that have the session already.
    if (isResumed && isSame) return;
    const session = isResumed ? "resumed" : this.#token === undefined ? "new" : "lost";
    if (session === "lost" && ++this.#losses > 1) {
      const what = "the server forgets each session at once: does a balancer send requests to several processes?";
      if (isSame) {
        this.#ladder.fail({ isOdd: true, what });
        return;
      }
      this.#emit("error", new ChannelError("CONNECT_FAILED", what));
    }
    const unacknowledged = isResumed ? [] : this.#renew(record.received);
    this.#token = record.session;
    this.#carrier = carrier;
    winners.set(this.#way, carrier.kind);
    this.#debug(`${carrier.kind}: open, session ${session}`);
    carrier.begin(this.#session, record);
    // Closed while there was no carrier: what was sent before goes out, and that is all.
    if (this.#close !== undefined) this.#ladder.stop();
    this.#become("open");
    if (this.#state === "open") this.#emit("open", { session, transport: carrier.kind, unacknowledged });
  }

  /** Another session: what has never left goes out in it. Returns what may have left. */
  #renew(received: number): unknown[] {
    const records = this.#session.after();
    const unacknowledged: unknown[] = [];
    this.#restart(received, this.#arrived);
    for (const record of records) {
      if (record.sends === undefined) this.#session.send(record);
      else if (record.type === "message") unacknowledged.push(record.value);
    }
    if (unacknowledged.length > 0) this.#reject("the session is lost");
    this.#settle();
    return unacknowledged;
  }

  /** Both are 0, unless it is a session that the server has kept and of which records are lost all the same. */
  #restart(acknowledged: number, received: number): void {
    const session = new ClientSession();
    session.sent = session.acknowledged = acknowledged;
    session.received = received;
    session.isHeld = this.#session.isHeld;
    this.#session = session;
  }

  /** What the platform refuses is not sent again: those behind it take its place. */
  #forget(refused: Kept): void {
    const { acknowledged, received } = this.#session;
    const records = this.#session.after();
    this.#restart(acknowledged, received);
    for (const record of records) if (record !== refused) this.#session.send(record);
    this.#settle();
  }

  #unacknowledged(): unknown[] {
    return this.#session.after().flatMap((record) => (record.type === "message" ? [record.value] : []));
  }

  #deliver(data: Message): void {
    const codec = this.#codec;
    this.#size = data.length;
    try {
      this.#emit("message", codec === undefined ? data : callSync("codec.decode", () => codec.decode(data)));
    } catch (error) {
      this.#emit("error", error);
    }
  }

  #closed({ code, reason, retryMs }: CloseRecord): void {
    if (retryMs === undefined) this.#end({ by: "server", code, reason }, this.#unacknowledged());
    else {
      this.#debug(`closed by the server: ${code} ${reason}, back in ${retryMs} ms`);
      this.#ladder.again({ retryAfterMs: retryMs });
      this.#look();
    }
  }

  /** A carrier is over. False when the connection is. */
  #lost(kind: CarrierKind, end: CarrierEnd, wasOpen: boolean): boolean {
    const { status = 0, code, reason, attempt, refused, what } = end;
    let { error } = end;
    this.#debug(`${kind}: over, ${error ?? what}`);
    if (refused !== undefined) {
      error = refused.refusal = new ChannelError("BAD_DATA", `${error}`, { cause: error });
      this.#forget(refused);
      if (refused === this.#sending) error = undefined;
    } else if (wasOpen && (end.isOdd || (status >= 400 && status < 500 && status !== 409 && status !== 410))) {
      error = new ChannelError("CONNECT_FAILED", `${kind}: ${what}`);
    }
    if (error !== undefined) this.#emit("error", error);
    let fatal = (wasOpen && FATAL_CODES.includes(code) ? code : undefined) ?? FATAL_STATUS[status];
    // Older requests mean nothing. One that was given up may have come late, and have replaced this one.
    if (attempt === this.#tries && ((wasOpen && code === REPLACED) || status === 409)) {
      if (this.#ladder.ghosts > 0) this.#ladder.ghosts -= 1;
      else fatal = REPLACED;
    }
    if (fatal !== undefined) {
      const text = reason || (fatal === REPLACED ? "replaced" : status > 0 ? `HTTP ${status}` : "");
      this.#end({ by: "server", code: fatal, reason: text }, this.#unacknowledged());
    }
    return this.#look() || this.#lingerTimer !== undefined;
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
    this.#losses = 0;
    // A carrier that has just opened has not begun.
    if (this.#ladder.current === this.#carrier) this.#carrier?.flush();
    this.#settle();
  }

  #hold(by: object, isHeld: boolean): void {
    if (isHeld) this.#holders.add(by);
    else if (!this.#holders.delete(by)) return;
    this.#session.isHeld = this.#holders.size > 0;
    if (!this.#session.isHeld) this.#ladder.current?.acknowledge();
  }

  #settle(): void {
    if (this.#session.bufferedAmount === 0) for (const { resolve } of this.#waiting.splice(0)) resolve();
    else if (this.#isOver) this.#reject("the server may not have everything");
  }

  #reject(detail: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new ChannelError("CONNECTION_CLOSED", detail));
  }

  #end(close: ConnectionClose, unacknowledged: readonly unknown[], isLeft = false): void {
    if (this.#state === "closed") {
      this.#finished();
      return;
    }
    this.#close = unacknowledged.length > 0 ? { ...close, unacknowledged } : close;
    this.#become("closed");
    this.#debug(`closed by the ${close.by}: ${close.code} ${close.reason}`);
    this.#session.isHeld = false;
    this.#release();
    this.#clock.clearTimer(this.#ackTimer);
    if (isLeft) {
      this.#lingerTimer = this.#clock.setTimer(() => this.#finished(), LINGER_MS);
      this.#ladder.check(false);
    } else if (!this.#ladder.stop(close.by === "server") || close.by === "server") this.#finished();
    this.#tellClose(this.#listeners.close);
  }

  #tellClose(listeners: Listeners<ConnectionClose>): void {
    this.#isTold = false;
    this.#tell(listeners, "close", this.#close!);
    this.#isTold = true;
  }

  /** Nothing goes out any more. */
  #finished(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clock.clearTimer(this.#lingerTimer);
    this.#lingerTimer = undefined;
    this.#ladder.stop();
    this.#settle();
  }

  /** Does nothing when it is that already, or closed for ever. */
  #become(state: ConnectionState): void {
    if (this.#state === "closed" || this.#state === state) return;
    this.#state = state;
    this.#emit("state", state);
  }

  #emit<E extends keyof Events>(name: E, event: Events[E]): void {
    this.#tell(this.#listeners[name], name, event);
  }

  #tell<E extends keyof Events>(listeners: Listeners<Events[E]>, name: E, event: Events[E]): void {
    listeners.each((fn) => {
      // One that was told before may have closed the connection: nothing comes after `close`.
      if (name === "state" ? event !== this.#state : this.#close !== undefined && /^(open|message)$/.test(name)) return;
      guard(
        () => fn(event),
        (error) => {
          if (name !== "error" && this.#listeners.error.size > 0) this.#emit("error", error);
          // With nobody listening a bug must stay loud.
          else
            queueMicrotask(() => {
              throw error;
            });
        },
      );
    });
  }
}

function toMessage(value: unknown): Message {
  if (typeof value === "string") return value;
  const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(value)
    ? value
    : { buffer: value as ArrayBuffer, byteOffset: 0, byteLength: undefined };
  // Not `instanceof`: a buffer may come from another frame. Shared memory has another tag.
  if (Object.prototype.toString.call(buffer) !== "[object ArrayBuffer]") {
    throw new ChannelError("BAD_DATA", "neither text nor bytes of an ArrayBuffer");
  }
  try {
    // A copy, which nobody can change or transfer before it has arrived.
    return new Uint8Array(buffer, byteOffset, byteLength).slice();
  } catch (cause) {
    throw new ChannelError("BAD_DATA", `${cause}`, { cause });
  }
}
