// A session as a transport: one conversation over carriers that come and go. PROTOCOL.md is its document, and
// `protocol/session.ts` keeps the numbers; this file knows which carrier there is, what is due on it, and when the client
// has been away too long. It has no timer: the server's beat, once a second, is time enough.
// Long because all of it turns on one question, whether there is a carrier.

import { ChannelError } from "../base/errors.ts";
import type { CloseRecord, OpenRecord, SessionRecord } from "../codec/session-record.ts";
import { type Numbered, Session } from "../protocol/session.ts";
import type { BufferBudget } from "./buffer-budget.ts";
import { type CloseStatus, closeStatus, connectionFailed } from "./close-status.ts";
import type { Flushable, Flusher } from "./flusher.ts";
import { type AnyRecord, recordOf } from "./outgoing-record.ts";
import type { Carrier, CarrierOwner } from "./session-carrier.ts";
import type { Heartbeat, Outgoing, Transport, TransportKind, TransportListener } from "./transport.ts";

export interface SessionSettings {
  /** How long a session lives without a carrier. */
  readonly resumeMs: number;
  /** How long a poll with nothing to say is parked; never longer than `heartbeatMs`. */
  readonly parkMs: number;
  /** After so much silence a heartbeat is sent, and after twice as much of the client's the carrier is dead. */
  readonly heartbeatMs: number;
  /** The same as the transports below have it. */
  readonly heartbeat: Heartbeat;
}

export interface SessionContext {
  readonly flusher: Flusher;
  readonly budget: BufferBudget;
  /** The session with this token is over. */
  sessionEnded(token: string): void;
}

/** Who is told of a session, beside what every transport tells. */
export interface SessionListener extends TransportListener {
  /** The client is back on another connection. */
  resumed(): void;
  /** `kind` is another one. */
  transportChanged(): void;
}

type SessionState = "open" | "closing" | "closed";

/** Of a client that never showed that it has the token, what is left is a connection that came to nothing. */
const UNCONFIRMED_MS = 5000;
/** Clients of a server that stops come back within this time, each at its own. */
const SPREAD_MS = 5000;

const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
const OVERFLOW = 4408;
const REPLACED = 4409;

/** WebSockets that the server ended like this end their session: the client's next try would end the same. */
const FATAL: readonly number[] = [1002, 1003, 1007, 1008, 1009];

export class SessionTransport implements Transport, CarrierOwner, Flushable {
  readonly token: string;
  readonly isSession = true;
  /** What carries it, or did last. */
  kind: TransportKind;
  readonly #session: Session<Numbered> = new Session();
  readonly #settings: SessionSettings;
  readonly #context: SessionContext;
  #listener: SessionListener | undefined;
  #carrier: Carrier | undefined;
  #state: SessionState = "open";
  /** What our own `close` said, once it is sent. */
  #close: CloseRecord | undefined;
  #end: CloseStatus | undefined;
  #isOpened = false;
  #isPaused = false;
  #isConfirmed = false;
  #isFlushQueued = false;
  #onRoom: (() => void)[] | undefined;
  /** What the server's budget counts for this session: what is kept for a client that is away. */
  #counted = 0;
  /** Since when there is no carrier, or a parked poll; 0: the next beat will tell. */
  #since = 0;
  /** What was acknowledged when the client was last found to owe an acknowledgement, and since when it is. */
  #owedAfter = 0;
  #owedSince = 0;

  constructor(token: string, kind: TransportKind, settings: SessionSettings, context: SessionContext) {
    this.token = token;
    this.kind = kind;
    this.#settings = settings;
    this.#context = context;
  }

  /** Bytes that the client has not acknowledged. */
  get bufferedAmount(): number {
    return this.#session.bufferedAmount;
  }

  /** How many of the client's records have come; the caller tells the client. */
  takeAck(): number {
    return this.#session.takeAck();
  }

  get isOver(): boolean {
    return this.#state === "closed";
  }

  /** Whether a client that has `after` records may take the session up: it was sent so many, and does not have the last. */
  canResume(after: number): boolean {
    if (this.isOver || after > this.#session.sent) return false;
    return this.#state === "open" || after < this.#session.sent;
  }

  /**
   * A carrier takes over from the one before. `isResumed`: the client came with the token. `isPrompt`: a poll wants its
   * answer at once.
   */
  attach(carrier: Carrier, after: number, isResumed: boolean, isPrompt: boolean): void {
    const hasMoved = this.kind !== carrier.kind;
    const before = this.#carrier;
    this.#carrier = undefined;
    before?.end(REPLACED, "replaced");
    // Before there is a carrier: a callback may send, and nothing goes out in front of `open`; or it may end the session.
    this.#acknowledged(after);
    if (this.isOver) {
      carrier.begin(this, 0);
      carrier.end(1000, "");
      return;
    }
    this.#carrier = carrier;
    this.kind = carrier.kind;
    this.#since = 0;
    this.#owedSince = 0;
    this.#count();
    if (isResumed) this.#isConfirmed = true;
    carrier.begin(this, this.#session.received + 1);
    if (this.#carrier !== carrier) return;
    if (!carrier.isParked) this.#greet(carrier, isResumed);
    else if (isPrompt || !isResumed || this.#session.after().length > 0) this.#queueFlush();
    // Of one that ended with what it was greeted with there is nothing to come.
    if (this.#carrier === carrier && this.#isOpened) this.#start(carrier);
    if (!isResumed) return;
    if (hasMoved || isPrompt || !carrier.isParked) this.#listener?.resumed();
    if (hasMoved) this.#listener?.transportChanged();
  }

  /** Whether records from this number on leave no gap. */
  isNext(from: number): boolean {
    return from <= this.#session.received + 1;
  }

  /** Resolves when what a client has posted may be taken. */
  async room(): Promise<void> {
    while (this.#isPaused && this.#state === "open") {
      await new Promise<void>((resolve) => {
        this.#onRoom ??= [];
        this.#onRoom.push(resolve);
      });
    }
  }

  /**
   * Records that were posted, the first numbered one with the number `from`. False: a gap, nothing is taken. Throws
   * BAD_RECORD for what a client must not send; nothing is taken then either.
   */
  take(from: number, records: readonly SessionRecord[]): boolean {
    this.#isConfirmed = true;
    if (this.#carrier === undefined) this.#since = 0;
    for (const record of records) {
      if (record.type === "open") throw new ChannelError("BAD_RECORD", "open from a client");
      if (record.type === "ack" && record.received > this.#session.sent) {
        throw new ChannelError("BAD_RECORD", `ack ${record.received} of ${this.#session.sent}`);
      }
    }
    if (!this.isNext(from)) return false;
    let number = from;
    for (const record of records) {
      if (record.type === "ack") this.#acknowledged(record.received);
      else if (record.type === "message" || record.type === "close") this.#receive(number++, record);
    }
    return true;
  }

  listen(listener: TransportListener): void {
    // Only a channel listens to a session, and it knows what sessions tell.
    this.#listener = listener as SessionListener;
    if (this.#end !== undefined) listener.transportClosed(this.#end);
  }

  open(): void {
    this.#isOpened = true;
    if (this.#carrier !== undefined) this.#start(this.#carrier);
  }

  settled(): void {}

  endsAfter(): boolean {
    return false;
  }

  send(message: Outgoing, last: boolean): void {
    const { body, shared } = message;
    if (body !== null && this.#state === "open") this.#say(recordOf(body, shared));
    if (last) this.close(1000, "");
  }

  begin(): void {}

  /** A message of its own, as on an event stream: what is kept until it is acknowledged must be whole. */
  part(data: string | Uint8Array): void {
    if (this.#state === "open") this.#say(recordOf(data, undefined));
  }

  finish(): void {}

  /** Too slow or too long away: what is kept is dropped, and the client learns it. Otherwise as any other close. */
  breakOff(code: number, reason: string): void {
    if (code !== TRY_AGAIN_LATER) this.close(code, reason);
    else if (this.#state !== "closed") this.#ended(closeStatus("server", OVERFLOW, "overflow"), OVERFLOW, "overflow");
  }

  ping(data: Uint8Array): void {
    this.#carrier?.ping(data);
  }

  /** The end is kept and acknowledged like a message, so `transportClosed` may be as far away as the client. */
  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    const isRestart = code === SERVICE_RESTART;
    const retryMs = isRestart ? Math.floor(Math.random() * SPREAD_MS) : undefined;
    this.#close = { type: "close", code, reason, ...(retryMs === undefined ? {} : { retryMs }) };
    this.#say(this.#close);
    // Nobody can come back to a server that has stopped.
    if (isRestart && this.#carrier === undefined) this.#ended(this.#closeStatus());
  }

  terminate(): void {
    if (this.#state === "closed") return;
    this.#carrier?.drop();
    this.#ended(closeStatus("server", 1006));
  }

  beat(now: number): void {
    if (this.#state === "closed") return;
    const carrier = this.#carrier;
    if (this.#since === 0) this.#since = now;
    if (carrier === undefined) {
      if (now - this.#since >= this.#patienceMs) this.#expire();
      return;
    }
    if (carrier.isParked && now - this.#since >= this.#settings.parkMs) this.#queueFlush();
    if (carrier.kind === "websocket" && this.#session.hasAck) this.#acknowledge(carrier);
    carrier.beat(now, this.#settings.heartbeatMs, this.#settings.heartbeat);
    if (this.#carrier === carrier && this.#isOwedTooLong(now)) carrier.drop();
  }

  pause(): void {
    this.#isPaused = true;
    this.#carrier?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#carrier?.resume();
    this.#wake();
  }

  /** Answers a parked poll with all that is due. */
  flush(): void {
    this.#isFlushQueued = false;
    const carrier = this.#carrier;
    if (carrier === undefined || !carrier.isParked) return;
    this.#greet(carrier, this.#isConfirmed);
    carrier.finish();
  }

  recordArrived(carrier: Carrier, record: AnyRecord, number: number): void {
    // What arrives on one that was replaced is sent again on the next.
    if (carrier !== this.#carrier) return;
    this.#isConfirmed = true;
    try {
      if (typeof record === "string" || record.type === "message" || record.type === "close") {
        this.#receive(number, record);
      } else if (record.type === "ack") this.#acknowledged(record.received);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.#ended(closeStatus("server", 1002, error.message), 1002, "");
    }
    if (this.#session.isAckDue && carrier === this.#carrier) this.#acknowledge(carrier);
  }

  carrierFailed(carrier: Carrier, status: CloseStatus): void {
    if (carrier === this.#carrier) this.#ended(status, status.code, "");
  }

  carrierEnded(carrier: Carrier, status: CloseStatus): void {
    if (carrier !== this.#carrier) return;
    this.#carrier = undefined;
    this.#since = 0;
    this.#count();
    if (status.by === "server" && FATAL.includes(status.code)) this.#ended(status);
    else if (this.#close?.code === SERVICE_RESTART) this.#ended(this.#closeStatus());
  }

  pingArrived(carrier: Carrier, data: Uint8Array): void {
    if (carrier === this.#carrier) this.#listener?.pingArrived(data);
  }

  pongArrived(carrier: Carrier, data: Uint8Array): void {
    if (carrier === this.#carrier) this.#listener?.pongArrived(data);
  }

  #start(carrier: Carrier): void {
    carrier.open();
    if (this.#isPaused) carrier.pause();
  }

  /** `open`, and everything that the client does not have. */
  #greet(carrier: Carrier, resumed: boolean): void {
    const { heartbeatMs, resumeMs } = this.#settings;
    const received = this.#session.takeAck();
    const first = this.#session.acknowledged + 1;
    const open: OpenRecord = { type: "open", session: this.token, resumed, received, first, heartbeatMs, resumeMs };
    carrier.write(open);
    for (const record of this.#session.after()) carrier.write(record);
  }

  #say(record: Numbered): void {
    this.#session.send(record);
    if (this.#carrier === undefined) this.#count();
    else if (this.#carrier.isParked) this.#queueFlush();
    else this.#carrier.write(record);
  }

  #acknowledge(carrier: Carrier): void {
    carrier.write({ type: "ack", received: this.#session.takeAck() });
  }

  #acknowledged(number: number): void {
    if (!this.#session.acknowledge(number)) return;
    if (this.#counted > 0) this.#count();
    if (this.#session.bufferedAmount > 0) return;
    if (this.#state === "closing") this.#ended(this.#closeStatus());
    else this.#listener?.bufferEmptied();
  }

  #receive(number: number, record: Numbered): void {
    if (!this.#session.receive(number, record)) return;
    if (typeof record === "string") this.#listener?.messageArrived(record);
    else if (record.type === "message") this.#listener?.messageArrived(record.data);
    else {
      if (this.#carrier?.kind === "websocket") this.#acknowledge(this.#carrier);
      this.#ended(closeStatus("client", record.code, record.reason));
    }
  }

  get #patienceMs(): number {
    const { resumeMs } = this.#settings;
    return this.#isConfirmed ? resumeMs : Math.min(resumeMs, UNCONFIRMED_MS);
  }

  /** A client acknowledges within seconds: one that has not for so long does not read, or is gone (PROTOCOL.md, "Liveness"). */
  #isOwedTooLong(now: number): boolean {
    const { acknowledged, bufferedAmount } = this.#session;
    if (bufferedAmount > 0 && acknowledged === this.#owedAfter && this.#owedSince > 0) {
      return now - this.#owedSince >= 2 * this.#settings.heartbeatMs;
    }
    this.#owedAfter = acknowledged;
    this.#owedSince = bufferedAmount > 0 ? now : 0;
    return false;
  }

  #expire(): void {
    this.#ended(this.#close === undefined ? connectionFailed("the client did not come back") : this.#closeStatus());
  }

  #closeStatus(): CloseStatus {
    return closeStatus("server", this.#close!.code, this.#close!.reason);
  }

  #queueFlush(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    this.#context.flusher.add(this);
  }

  /** What a connection has not taken it counts itself; the rest is under way. */
  #count(): void {
    const isHeld = this.#carrier === undefined && this.#state !== "closed";
    const bytes = isHeld ? this.#session.bufferedAmount : 0;
    if (bytes === this.#counted) return;
    this.#context.budget.change(this.#counted, bytes);
    this.#counted = bytes;
  }

  #wake(): void {
    const waiting = this.#onRoom;
    this.#onRoom = undefined;
    for (const resolve of waiting ?? []) resolve();
  }

  /** `code` and `reason` are what a carrier that is there ends with. */
  #ended(status: CloseStatus, code = 1000, reason = ""): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#end = status;
    const carrier = this.#carrier;
    this.#carrier = undefined;
    this.#count();
    carrier?.end(code, reason);
    this.#wake();
    this.#context.sessionEnded(this.token);
    this.#listener?.transportClosed(status);
  }
}
