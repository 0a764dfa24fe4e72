// A session as a transport: one conversation over carriers that come and go. PROTOCOL.md is its document, and
// `protocol/session.ts` keeps the numbers; this file knows which carrier there is, what is due on it, and when the client
// has been away too long. It has no timer: the server's beat, once a second, is time enough.
// Long because all of it turns on one question, whether there is a carrier.

import { shortToken } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import type { CloseRecord, NumberedRecord, OpenRecord, SessionRecord } from "../codec/session-record.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import { type Numbered, Session } from "../protocol/session.ts";
import { type CloseStatus, closeStatus, connectionFailed, describeClose } from "../transport/close-status.ts";
import type { Flushable } from "../transport/io/flusher.ts";
import type { SessionListener, Transport, TransportKind, TransportListener } from "../transport/transport.ts";
import type { Carrier, CarrierOwner } from "./carrier.ts";
import type { SessionContext, SessionSettings } from "./context.ts";
import { Debt } from "./debt.ts";
import { type AnyRecord, dataRecord, toRecord } from "./form.ts";
import { SessionHold } from "./hold.ts";
import { Waiters } from "./waiters.ts";

type SessionState = "open" | "closing" | "closed";

/** Of a client that never showed that it has the token, what is left is a connection that came to nothing. */
const UNCONFIRMED_MS = 5000;
/** The same for a poll, which always ends: the next one may need several round trips of a slow network to come. */
const UNCONFIRMED_POLL_MS = 20_000;
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
  readonly messageForm = "message";
  readonly holdsMessages = true;
  /** What carries it, or did last. */
  kind: TransportKind;
  readonly #session: Session<Numbered> = new Session();
  readonly #debt: Debt = new Debt();
  readonly #settings: SessionSettings;
  readonly #context: SessionContext;
  #listener: SessionListener | undefined;
  #carrier: Carrier | undefined;
  #state: SessionState = "open";
  /** What our own `close` said, once it is sent. */
  #close: CloseRecord | undefined;
  #end: CloseStatus | undefined;
  #isOpened = false;
  /** The channel takes no more messages for now. */
  #isPaused = false;
  #isConfirmed = false;
  #isFlushQueued = false;
  #isDelivering = false;
  /** The server stops: a session that only waits for its client is over. */
  #isStopping = false;
  #isLingering = false;
  /** Messages that arrived while the channel took none. */
  #held: SessionHold | undefined;
  #waiters: Waiters | undefined;
  /** What was taken when the application closed: what comes later reaches nobody, and is not acknowledged. */
  #takenAtClose: number | undefined;
  /** The highest attempt number that has taken the session up. */
  #attempt = 0;
  /** Bytes of this session that the server's budget counts. */
  #counted = 0;
  /** Since when there is no carrier, or a parked poll; 0: the next beat will tell. */
  #since = 0;
  /** The record up to which the client was asked to acknowledge at once. */
  #askedFor = 0;
  constructor(token: string, kind: TransportKind, settings: SessionSettings, context: SessionContext) {
    this.token = token;
    this.kind = kind;
    this.#settings = settings;
    this.#context = context;
  }

  get logName(): string {
    return `session on ${this.kind}`;
  }

  get outlivesExchange(): boolean {
    return this.kind === "websocket";
  }

  /** Bytes that the client has not acknowledged. */
  get bufferedAmount(): number {
    return this.#session.bufferedAmount;
  }

  get heldBytes(): number {
    return this.#held?.bytes ?? 0;
  }

  /** How many of the client's records have come; the caller tells the client. */
  takeAck(): number {
    return this.#session.takeAck(this.#takenAtClose);
  }

  /** The number of the last of the client's records that the application has taken, or nobody will take. */
  get taken(): number {
    return (
      this.#takenAtClose ?? this.#session.received - (this.#held?.length ?? 0) - (this.#listener?.waitingMessages ?? 0)
    );
  }

  /** What a client posts may be taken. */
  get hasRoom(): boolean {
    return !this.#isPaused && this.#held === undefined;
  }

  get heartbeatMs(): number {
    return this.#settings.heartbeatMs;
  }

  get isOver(): boolean {
    return this.#state === "closed";
  }

  /** Whether a client that has `after` records may take the session up: it was sent so many, and does not have the last. */
  canResume(after: number): boolean {
    if (this.isOver || after > this.#session.sent) return false;
    return this.#state === "open" || after < this.#session.sent;
  }

  /** A request of the client's past, which comes late: another one of a higher number has taken the session up. */
  isLate(attempt: number | undefined): boolean {
    return attempt !== undefined && attempt < this.#attempt;
  }

  /**
   * A carrier takes over from the one before. `isResumed`: the client came with the token. `isPrompt`: a poll wants its
   * answer at once.
   */
  attach(carrier: Carrier, after: number, isResumed: boolean, isPrompt: boolean, attempt?: number): void {
    if (attempt !== undefined) this.#attempt = attempt;
    const kindBefore = this.kind;
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
    this.#debt.restart();
    if (isResumed) this.#isConfirmed = true;
    this.#context.debug?.(this.#describeAttach(kindBefore, after, isResumed));
    carrier.begin(this, this.#session.received + 1);
    if (this.#carrier !== carrier) return;
    if (!carrier.isParked) this.#greet(carrier, isResumed);
    else if (isPrompt || !isResumed || this.#session.bufferedAmount > 0) this.#queueFlush();
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

  /** Resolves when `isMet` or the session is over, at the latest after about `ms`: the time is looked at with the beat. */
  waitFor(isMet: () => boolean, ms: number): Promise<void> {
    if (this.isOver || isMet()) return Promise.resolve();
    this.#waiters ??= new Waiters();
    return this.#waiters.wait(isMet, ms);
  }

  /**
   * The acknowledgements among posted records: they are taken at once, whatever else waits. Throws BAD_RECORD, before
   * anything is taken, if there is a record that a client must not send.
   */
  takeAcks(records: readonly SessionRecord[]): void {
    let received = 0;
    for (const record of records) {
      if (record.type === "open") throw new ChannelError("BAD_RECORD", "open from a client");
      if (record.type === "ack") received = Math.max(received, record.received);
    }
    if (received > this.#session.sent) throw new ChannelError("BAD_RECORD", `ack ${received} of ${this.#session.sent}`);
    this.#isConfirmed = true;
    this.#alive();
    this.#acknowledged(received);
  }

  /** Numbered records that were posted, the first one with the number `from`, which must leave no gap. */
  take(from: number, records: readonly NumberedRecord[]): void {
    this.#alive();
    for (const [i, record] of records.entries()) {
      if (this.isOver) return;
      this.#receive(from + i, record);
    }
    this.wake();
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

  setupDone(): void {}

  closesByDefault(): boolean {
    return false;
  }

  send(message: OutboundMessage, last: boolean): void {
    if (message.body !== null && this.#state === "open") this.#say(toRecord(message));
    if (last) this.close(1000, "");
  }

  begin(): void {}

  /** A message of its own, as on an event stream: what is kept until it is acknowledged must be whole. */
  part(data: string | Uint8Array): void {
    if (this.#state === "open") this.#say(dataRecord(data));
  }

  finish(): void {}

  refuse(): boolean {
    return false;
  }

  /** Too slow or too long away: what is kept is dropped, and the client learns it. Otherwise as any other close. */
  fail(code: number, reason: string): void {
    if (code !== TRY_AGAIN_LATER) this.close(code, reason);
    else if (this.#state !== "closed") this.#ended(closeStatus("server", OVERFLOW, "overflow"), OVERFLOW, "overflow");
  }

  ping(data: Uint8Array): boolean {
    return this.#carrier?.ping(data) === true;
  }

  /** The end is kept and acknowledged like a message, so `transportClosed` may be as far away as the client. */
  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.#takenAtClose = this.taken;
    this.#state = "closing";
    const isRestart = code === SERVICE_RESTART;
    const retryMs = isRestart ? Math.floor(Math.random() * SPREAD_MS) : undefined;
    this.#close = { type: "close", code, reason, ...(retryMs === undefined ? {} : { retryMs }) };
    this.#say(this.#close);
    if (isRestart && this.#carrier === undefined) this.#leave();
  }

  goodbye(): void {
    this.close(SERVICE_RESTART, "server is stopping");
  }

  /** The server stops. A session that only waits for its client is over: nobody comes back to a server that has stopped. */
  serverStops(): void {
    this.#isStopping = true;
    if (this.#state !== "closed" && this.#carrier === undefined && !this.#isLingering) this.#leave();
  }

  terminate(): void {
    if (this.#state === "closed") return;
    const carrier = this.#carrier;
    // A poll gets an answer that ends it; its connection need not be lost.
    if (!carrier?.isParked) carrier?.drop();
    this.#ended(closeStatus("server", 1006));
  }

  tick(now: number): void {
    if (this.#state === "closed") return;
    const carrier = this.#carrier;
    this.wake(now);
    if (this.#isLingering && this.#since > 0 && carrier === undefined) {
      this.#ended(this.#closeStatus());
      return;
    }
    if (this.#since === 0) this.#since = now;
    if (carrier === undefined) {
      if (now - this.#since < this.#patienceMs) return;
      this.#ended(this.#close === undefined ? connectionFailed("the client did not come back") : this.#closeStatus());
      return;
    }
    if (carrier.isParked && now - this.#since >= this.#settings.parkMs) this.#queueFlush();
    if (carrier.kind === "websocket" && this.#session.hasAck && this.#session.owes(this.taken)) {
      this.#acknowledge(carrier);
    }
    carrier.beat(now, this.#settings.heartbeatMs, this.#settings.heartbeat);
    if (this.#carrier !== carrier) return;
    const isPaused = this.#held?.isFull === true;
    if (!this.#debt.isTooLong(now, this.#session, carrier, isPaused, this.#settings.heartbeatMs)) return;
    this.#debt.repeat();
    carrier.drop();
  }

  /** The channel takes no more for now. The carrier is read on: acknowledgements must not wait behind messages. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliverHeld();
    this.wake();
  }

  messageTaken(): void {
    const carrier = this.#carrier;
    if (carrier?.kind === "websocket" && this.#session.isAckDue && this.#session.owesSoon(this.taken)) {
      this.#acknowledge(carrier);
    }
    this.wake();
  }

  /** Answers a parked poll with all that is due. */
  hurry(): void {
    const carrier = this.#carrier;
    const { sent, bufferedAmount } = this.#session;
    if (carrier === undefined || carrier.isParked || bufferedAmount === 0 || this.#askedFor === sent) return;
    // Clients of others expect no `ack` on a stream; those that number their attempts know what it means.
    if (carrier.kind !== "websocket" && this.#attempt === 0) return;
    this.#askedFor = sent;
    this.#acknowledge(carrier);
  }

  flush(): void {
    this.#isFlushQueued = false;
    const carrier = this.#carrier;
    if (carrier === undefined || !carrier.isParked) return;
    try {
      this.#greet(carrier, this.#isConfirmed);
      carrier.finish();
    } catch (error) {
      // The answer could not be made: its client must not wait for it.
      carrier.drop();
      throw error;
    }
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
    if (this.#session.isAckDue && carrier === this.#carrier && this.#session.owesSoon(this.taken)) {
      this.#acknowledge(carrier);
    }
  }

  carrierFailed(carrier: Carrier, status: CloseStatus): void {
    if (carrier === this.#carrier) this.#ended(status, status.code, "");
  }

  carrierEnded(carrier: Carrier, status: CloseStatus): void {
    if (carrier !== this.#carrier) return;
    this.#carrier = undefined;
    this.#since = 0;
    // A poll always ends: the next one has a line.
    if (carrier.kind !== "poll")
      this.#context.debug?.(`${this.#name} lost its carrier: ${carrier.kind}, ${describeClose(status)}`);
    if (status.by === "server" && FATAL.includes(status.code)) this.#ended(status);
    else if (this.#isStopping || this.#close?.code === SERVICE_RESTART) this.#leave();
  }

  pingArrived(carrier: Carrier, data: Uint8Array): void {
    if (carrier === this.#carrier) this.#listener?.pingArrived(data);
  }

  pongArrived(carrier: Carrier, data: Uint8Array): void {
    if (carrier === this.#carrier) this.#listener?.pongArrived(data);
  }

  #start(carrier: Carrier): void {
    carrier.open();
    if (this.#held?.isFull) carrier.pause();
  }

  /** `open`, and everything that the client does not have. */
  #greet(carrier: Carrier, resumed: boolean): void {
    carrier.write(this.#openRecord(resumed));
    for (const record of this.#session.after()) carrier.write(record);
  }

  #openRecord(resumed: boolean): OpenRecord {
    const { heartbeatMs, resumeMs } = this.#settings;
    const first = this.#session.acknowledged + 1;
    return { type: "open", session: this.token, resumed, received: this.takeAck(), first, heartbeatMs, resumeMs };
  }

  #say(record: Numbered): void {
    this.#session.send(record);
    this.#count(this.#session.bufferedAmount);
    if (this.#carrier === undefined) return;
    if (this.#carrier.isParked) this.#queueFlush();
    else this.#carrier.write(record);
  }

  #acknowledge(carrier: Carrier): void {
    carrier.write({ type: "ack", received: this.#session.takeAck(this.taken) });
  }

  #acknowledged(number: number): void {
    if (!this.#session.acknowledge(number)) return;
    this.#count(this.#session.bufferedAmount);
    if (this.#session.bufferedAmount > 0) return;
    if (this.#state === "closing") this.#ended(this.#closeStatus());
    else this.#listener?.bufferEmptied();
  }

  #receive(number: number, record: Numbered): void {
    if (!this.#session.receive(number, record)) return;
    if (typeof record === "string") this.#arrived(record);
    else if (record.type === "message") this.#arrived(record.data);
    else {
      this.#deliverHeld(true);
      // All that came before it has been given to the channel, which delivers it before the end.
      if (this.#carrier?.kind === "websocket") this.#carrier.write({ type: "ack", received: this.takeAck() });
      this.#ended(closeStatus("client", record.code, record.reason));
    }
  }

  #arrived(data: string | Uint8Array): void {
    if (!this.#isPaused && this.#held === undefined) {
      this.#listener?.messageArrived(data);
      return;
    }
    this.#held ??= new SessionHold(this.#context.received);
    if (this.#held.add(data)) this.#carrier?.pause();
  }

  /** Gives the channel what it did not take; with `isLast` all of it, because nothing more comes. */
  #deliverHeld(isLast = false): void {
    const held = this.#held;
    // A receiver that resumes from inside a delivery must not start a second loop.
    if (held === undefined || this.#isDelivering) return;
    this.#isDelivering = true;
    const wasFull = held.isFull;
    while (held.length > 0 && (isLast || !this.#isPaused) && this.#held === held) {
      this.#listener?.messageArrived(held.shift()!);
    }
    this.#isDelivering = false;
    if (held.length === 0) this.#held = undefined;
    if (wasFull && !held.isFull) this.#carrier?.resume();
  }

  get #patienceMs(): number {
    const { resumeMs } = this.#settings;
    if (this.#isConfirmed) return resumeMs;
    return Math.min(resumeMs, this.kind === "poll" ? UNCONFIRMED_POLL_MS : UNCONFIRMED_MS);
  }

  /** A sign of the client: it is there, and whatever it owes it may still say. */
  #alive(): void {
    if (this.#carrier === undefined) this.#since = 0;
    this.#debt.defer();
  }

  get #name(): string {
    return `session ${shortToken(this.token)}`;
  }

  #describeAttach(before: TransportKind, after: number, isResumed: boolean): string {
    if (!isResumed) return `${this.#name} opened: carrier ${this.kind}`;
    const { sent, acknowledged, received } = this.#session;
    const carrier = before === this.kind ? this.kind : `changes from ${before} to ${this.kind}`;
    const replayed = sent - acknowledged;
    return `${this.#name} resumed: carrier ${carrier}, asked for what follows ${after}, ${replayed} replayed, ${received} received, try ${this.#attempt}`;
  }

  /** Without a carrier, and the server stops. A client between two polls is there in a moment, and fetches what was sent. */
  #leave(): void {
    const { sent, acknowledged } = this.#session;
    // Beside `close` there is something that it does not have.
    const hasMore = sent - acknowledged > 1;
    const isBetweenPolls = this.kind === "poll" && this.#isConfirmed && this.#since === 0;
    if (this.#close?.code === SERVICE_RESTART && isBetweenPolls && hasMore && !this.#isLingering) {
      this.#isLingering = true;
      this.#context.lingers(1);
    } else this.#ended(this.#close === undefined ? closeStatus("server", SERVICE_RESTART) : this.#closeStatus());
  }

  #closeStatus(): CloseStatus {
    return closeStatus("server", this.#close!.code, this.#close!.reason);
  }

  #queueFlush(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    this.#context.flusher.add(this);
  }

  /** All that is kept counts, with a carrier or without: a client that reads and never acknowledges makes it grow, too. */
  #count(bytes: number): void {
    this.#context.budget.change(this.#counted, bytes);
    this.#counted = bytes;
  }

  /** Resolves what need not wait any more. `now` is given with the beat. */
  wake(now?: number): void {
    if (this.#waiters?.wake(this.isOver, now) === 0) this.#waiters = undefined;
  }

  /** `code` and `reason` are what a carrier that is there ends with. */
  #ended(status: CloseStatus, code = 1000, reason = ""): void {
    if (this.#state === "closed") return;
    this.#deliverHeld(true);
    if (this.isOver) return;
    this.#state = "closed";
    this.#held?.clear();
    // The last connection may take seconds to end, and keeps this object until then.
    this.#session.end();
    this.#end = status;
    this.#context.debug?.(`${this.#name} closed: ${describeClose(status)}`);
    const carrier = this.#carrier;
    this.#carrier = undefined;
    this.#count(0);
    if (this.#isLingering) this.#context.lingers(-1);
    if (code === OVERFLOW && carrier?.isParked && !this.#isConfirmed) this.#refuse(carrier, code, reason);
    else carrier?.end(code, reason);
    this.wake();
    this.#context.sessionEnded(this.token);
    this.#listener?.transportClosed(status);
  }

  /**
   * The first poll of a new session, which was sent more at once than it may keep. Without an `open` its client would learn
   * nothing, and ask for one session after the other.
   */
  #refuse(poll: Carrier, code: number, reason: string): void {
    poll.write(this.#openRecord(false));
    poll.write({ type: "close", code, reason });
    poll.finish();
  }
}
