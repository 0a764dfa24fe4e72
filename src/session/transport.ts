// A session as a transport: one conversation over carriers that come and go. PROTOCOL.md specifies it, and
// `protocol/session.ts` numbers its records. This file decides what is written to which carrier; `state.ts` decides how the
// session ends, `liveness.ts` when its client is gone. It has no timer: the server ticks once a second.
// Long because sending, receiving and ending all depend on whether there is a carrier.

import { shortToken } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import type { NumberedRecord, OpenRecord, SessionRecord } from "../codec/session-record.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { CompactRecord } from "../protocol/session.ts";
import { type CloseStatus, closeStatus, connectionFailed, describeClose } from "../transport/close-status.ts";
import type { Flushable } from "../transport/io/flusher.ts";
import type { SessionListener, Transport, TransportKind } from "../transport/transport.ts";
import type { Carrier, CarrierOwner } from "./carrier.ts";
import {
  ABNORMAL,
  endsSession,
  NORMAL,
  OVERFLOW,
  PROTOCOL_ERROR,
  REPLACED,
  SERVICE_RESTART,
  TRY_AGAIN_LATER,
} from "./close-codes.ts";
import type { SessionContext, SessionSettings } from "./context.ts";
import { dataRecord, toRecord } from "./form.ts";
import { Incoming } from "./incoming.ts";
import { Liveness } from "./liveness.ts";
import type { Posts } from "./posts.ts";
import { ServerSession } from "./server-session.ts";
import { SessionState } from "./state.ts";

export interface CarrierRequest {
  /** The number of the last record that the client has. */
  readonly after: number;
  /** The number of the client's attempt; undefined if the client does not number its attempts. */
  readonly attempt: number | undefined;
  /** True if the client came with the token. */
  readonly isResumed: boolean;
  /** True for a poll that wants its answer at once. */
  readonly isPrompt: boolean;
}

export class SessionTransport implements Transport<SessionListener>, CarrierOwner, Flushable {
  readonly token: string;
  readonly messageForm = "message";
  readonly holdsMessages = true;
  /** The kind of the carrier, or of the last one. */
  kind: TransportKind;
  posts: Posts | undefined;
  readonly session: ServerSession;
  readonly #liveness: Liveness;
  readonly settings: SessionSettings;
  readonly #context: SessionContext;
  readonly #incoming: Incoming;
  listener: SessionListener | undefined;
  readonly #state = new SessionState();
  /** Undefined while the client is away, and when the session is over. */
  #carrier: Carrier | undefined;
  /** The channel is ready for messages: every carrier delivers from its beginning. */
  #isOpened = false;
  #isFlushQueued = false;
  /** The highest attempt number that has resumed the session; undefined if its client does not number its attempts. */
  #attempt: number | undefined;

  constructor(token: string, kind: TransportKind, settings: SessionSettings, context: SessionContext) {
    this.token = token;
    this.kind = kind;
    this.settings = settings;
    this.#context = context;
    this.#liveness = new Liveness(settings);
    this.#incoming = new Incoming(context.received);
    this.session = new ServerSession(context.budget, this.#incoming);
  }

  get logName(): string {
    return `session on ${this.kind}`;
  }

  get outlivesExchange(): boolean {
    return this.kind === "websocket";
  }

  /** Bytes that the client has not acknowledged. */
  get bufferedAmount(): number {
    return this.session.bufferedAmount;
  }

  get heldBytes(): number {
    return this.#incoming.bytes;
  }

  /** True if posted messages may be taken: the channel is not paused, and none wait. */
  get hasRoom(): boolean {
    return this.#incoming.isFree;
  }

  get isOver(): boolean {
    return this.#state.isOver;
  }

  /** True if a client that has the records up to `after` may resume: they were sent, and something is left to send. */
  canResume(after: number): boolean {
    if (this.isOver || after > this.session.sent) return false;
    return this.#state.isOpen || after < this.session.sent;
  }

  /** True for a request that comes late: one with a higher attempt number has resumed the session. */
  isLate(attempt: number | undefined): boolean {
    return attempt !== undefined && this.#attempt !== undefined && attempt < this.#attempt;
  }

  attach(carrier: Carrier, request: CarrierRequest): void {
    const { isResumed, isPrompt } = request;
    const isRepeated = request.attempt !== undefined && request.attempt === this.#attempt;
    if (request.attempt !== undefined) this.#attempt = request.attempt;
    const kindBefore = this.kind;
    const previous = this.#releaseCarrier();
    if (isRepeated && previous !== undefined) this.#endRepeated(previous);
    else previous?.end(REPLACED, "replaced");
    // No carrier is set here: a callback may send (its record follows `open`) or end the session.
    this.#acknowledged(request.after);
    if (this.isOver) {
      endUnused(carrier);
      return;
    }
    this.#carrier = carrier;
    this.kind = carrier.kind;
    this.#liveness.carrierAttached();
    if (isResumed) this.#liveness.isConfirmed = true;
    this.#context.debug?.(this.#describeAttach(kindBefore, request));
    this.session.continueAt(this.session.received + 1);
    carrier.begin(this);
    if (this.#carrier !== carrier) return;
    if (!carrier.isParked) this.#greet(carrier, { resumed: isResumed });
    else if (isPrompt || !isResumed || this.session.bufferedAmount > 0) this.#queueFlush();
    // The records that it was just sent may have ended the carrier.
    if (this.#carrier === carrier && this.#isOpened) this.#start(carrier);
    if (!isResumed) return;
    // A poll follows each poll. Only the first one on a carrier, which is prompt, means that the client is back.
    const hasMoved = kindBefore !== carrier.kind;
    if (hasMoved || isPrompt || !carrier.isParked) this.listener?.resumed();
    if (hasMoved) this.listener?.transportChanged();
  }

  /**
   * Takes the acknowledgements among posted records at once, before messages that wait. Throws BAD_RECORD, and takes none, if
   * there is a record that a client must not send.
   */
  takeAcks(records: readonly SessionRecord[]): void {
    let received = 0;
    for (const record of records) {
      if (record.type === "open") throw new ChannelError("BAD_RECORD", "open from a client");
      if (record.type === "ack") received = Math.max(received, record.received);
    }
    if (received > this.session.sent) throw new ChannelError("BAD_RECORD", `ack ${received} of ${this.session.sent}`);
    this.#liveness.isConfirmed = true;
    this.#liveness.heard();
    this.#acknowledged(received);
  }

  /** Takes posted records. The first has the number `from`, which must leave no gap. */
  take(from: number, records: readonly NumberedRecord[]): void {
    this.#liveness.heard();
    for (const [i, record] of records.entries()) {
      if (this.isOver) return;
      if (this.session.receive(from + i, record)) this.#received(record);
    }
    this.posts?.check();
  }

  listen(listener: SessionListener): void {
    this.listener = listener;
    this.#incoming.listener = listener;
    const { end } = this.#state;
    if (end !== undefined) listener.transportClosed(end);
  }

  open(): void {
    this.#isOpened = true;
    if (this.#carrier !== undefined) this.#start(this.#carrier);
  }

  send(message: OutboundMessage): void {
    if (message.body !== null && this.#state.isOpen) this.#enqueue(toRecord(message));
  }

  sendText(text: string): void {
    if (this.#state.isOpen) this.#enqueue(text);
  }

  sendLast(message: OutboundMessage): void {
    this.send(message);
    this.close(NORMAL, "");
  }

  /** Sends each part as a message, as an event stream does: a record is kept whole until it is acknowledged. */
  part(data: string | Uint8Array): void {
    if (this.#state.isOpen) this.#enqueue(dataRecord(data));
  }

  /** Ends the session of a client that is too slow or away too long: its records are dropped, and it is told. Else `close`. */
  fail(code: number, reason: string): void {
    if (code !== TRY_AGAIN_LATER) this.close(code, reason);
    else if (!this.isOver) this.#endWith(closeStatus("server", OVERFLOW, "overflow"), OVERFLOW, "overflow");
  }

  ping(data: Uint8Array): boolean {
    return this.#carrier?.transport.ping?.(data) === true;
  }

  /** The close is kept and acknowledged like a message: `transportClosed` may follow as late as the client comes back. */
  close(code: number, reason: string): void {
    const record = this.#state.close(code, reason);
    if (record === undefined) return;
    this.session.stopTaking();
    this.#enqueue(record);
    if (this.#state.isRestart && this.#carrier === undefined) this.#leave();
  }

  goodbye(): void {
    this.close(SERVICE_RESTART, "server is stopping");
  }

  /** Ends a session whose client is away: it cannot come back to a server that has stopped. */
  serverStops(): void {
    this.#state.serverStops();
    if (this.#carrier === undefined && !this.#state.isLingering) this.#leave();
  }

  terminate(): void {
    if (this.isOver) return;
    const carrier = this.#carrier;
    // A poll is ended by its answer; its connection need not be lost.
    if (!carrier?.isParked) carrier?.transport.terminate();
    this.#endWith(closeStatus("server", ABNORMAL));
  }

  tick(now: number): void {
    if (this.isOver) return;
    this.posts?.check(now);
    if (this.#carrier === undefined) this.#tickAway(now);
    else this.#tickCarrier(this.#carrier, now);
  }

  /** The channel takes no messages. The carrier is read on: acknowledgements must not wait behind messages. */
  pause(): void {
    this.#incoming.pause();
  }

  resume(): void {
    if (this.#incoming.resume()) this.#carrier?.transport.resume?.();
    this.posts?.check();
  }

  messageTaken(): void {
    if (this.#carrier?.kind === "websocket") this.#acknowledgeIfDue(this.#carrier);
    this.posts?.check();
  }

  /** Asks the client to acknowledge at once, once for each record, with an `ack` that says nothing new. */
  hurry(): void {
    const carrier = this.#carrier;
    if (carrier === undefined || carrier.isParked) return;
    // Other implementations of a client expect no `ack` on a stream; those that number their attempts understand it.
    if (carrier.kind !== "websocket" && this.#attempt === undefined) return;
    if (this.session.askOnce()) this.#acknowledge(carrier);
  }

  /** Answers a parked poll with everything that the client does not have. */
  flush(): void {
    this.#isFlushQueued = false;
    const carrier = this.#carrier;
    if (carrier === undefined || !carrier.isParked) return;
    try {
      this.#greet(carrier, { resumed: this.#liveness.isConfirmed });
      carrier.finish();
    } catch (error) {
      // The answer could not be encoded: its client must not wait for it.
      carrier.transport.terminate();
      throw error;
    }
  }

  recordArrived(record: CompactRecord): void {
    const carrier = this.#carrier;
    this.#liveness.isConfirmed = true;
    try {
      if (typeof record === "string" || record.type === "message" || record.type === "close") {
        if (this.session.receiveNext(record)) this.#received(record);
      } else if (record.type === "ack") this.#acknowledged(record.received);
      else if (record.type === "from") this.session.continueAt(record.number);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.#endWith(closeStatus("server", PROTOCOL_ERROR, error.message), PROTOCOL_ERROR);
    }
    if (carrier !== undefined && carrier === this.#carrier) this.#acknowledgeIfDue(carrier);
  }

  carrierFailed(status: CloseStatus): void {
    this.#endWith(status, status.code);
  }

  carrierEnded(status: CloseStatus): void {
    this.#releaseCarrier();
    this.#liveness.carrierEnded();
    // Not logged for polls: each ends after one answer.
    if (this.kind !== "poll")
      this.#context.debug?.(`${this.#name} lost its carrier: ${this.kind}, ${describeClose(status)}`);
    if (status.by === "server" && endsSession(status.code)) this.#endWith(status);
    else if (this.#state.endsWhenAway) this.#leave();
  }

  #tickAway(now: number): void {
    // A client that is still sending a POST is not away.
    if (this.posts?.areUnderWay) this.#liveness.heard();
    if (this.#state.isLingering && !this.#liveness.hasJustLeft) this.#endWith(this.#state.closeStatus!);
    else if (this.#liveness.isClientLost(now, this.kind)) {
      this.#endWith(this.#state.closeStatus ?? connectionFailed("the client did not come back"));
    }
  }

  #tickCarrier(carrier: Carrier, now: number): void {
    const isWebSocket = carrier.kind === "websocket";
    if (carrier.isParked && this.#liveness.isParkOver(now)) this.#queueFlush();
    if (isWebSocket && this.session.hasAck) this.#acknowledge(carrier);
    carrier.tick(now, this.settings.heartbeat);
    if (this.#carrier !== carrier) return;
    const isOverdue = this.#liveness.isAckOverdue(now, {
      session: this.session,
      unsentBytes: carrier.transport.bufferedAmount,
      answersPings: isWebSocket,
      isPaused: this.#incoming.isFull,
    });
    if (!isOverdue) return;
    this.#liveness.carrierDropped();
    carrier.transport.terminate();
  }

  #start(carrier: Carrier): void {
    carrier.open();
    if (this.#incoming.isFull) carrier.transport.pause?.();
  }

  /** Writes `open`, and everything that the client does not have. */
  #greet(carrier: Carrier, opening: Pick<OpenRecord, "resumed">): void {
    carrier.write(this.#openRecord(opening));
    for (const record of this.session.after()) carrier.write(record);
  }

  #openRecord({ resumed }: Pick<OpenRecord, "resumed">): OpenRecord {
    const { heartbeatMs, resumeMs } = this.settings;
    const first = this.session.acknowledged + 1;
    return {
      type: "open",
      session: this.token,
      resumed,
      received: this.session.takeAck(),
      first,
      heartbeatMs,
      resumeMs,
    };
  }

  #enqueue(record: CompactRecord<NumberedRecord>): void {
    this.session.send(record);
    if (this.#carrier === undefined) return;
    if (this.#carrier.isParked) this.#queueFlush();
    else this.#carrier.write(record);
  }

  #acknowledge(carrier: Carrier): void {
    carrier.write({ type: "ack", received: this.session.takeAck(this.session.taken) });
  }

  #acknowledgeIfDue(carrier: Carrier): void {
    if (this.session.isAckDue) this.#acknowledge(carrier);
  }

  /** The client has all records up to this number. */
  #acknowledged(number: number): void {
    if (!this.session.acknowledge(number) || this.bufferedAmount > 0) return;
    if (this.#state.isOpen) this.listener?.bufferEmptied();
    else this.#endWith(this.#state.closeStatus!);
  }

  /** The client's next record has arrived, for the first time. */
  #received(record: CompactRecord<NumberedRecord>): void {
    if (typeof record === "string" || record.type === "message") {
      const isFilled = this.#incoming.add(typeof record === "string" ? record : record.data);
      if (isFilled) this.#carrier?.transport.pause?.();
    } else {
      this.#deliverAll();
      // The channel has all messages before the close, and delivers them before its end.
      if (this.#carrier?.kind === "websocket") this.#carrier.write({ type: "ack", received: this.session.takeAck() });
      this.#endWith(closeStatus("client", record.code, record.reason));
    }
  }

  #deliverAll(): void {
    if (this.#incoming.deliverAll()) this.#carrier?.transport.resume?.();
  }

  get #name(): string {
    return `session ${shortToken(this.token)}`;
  }

  #describeAttach(kindBefore: TransportKind, { after, isResumed }: CarrierRequest): string {
    if (!isResumed) return `${this.#name} opened: carrier ${this.kind}`;
    const { sent, acknowledged, received } = this.session;
    const carrier = kindBefore === this.kind ? this.kind : `changes from ${kindBefore} to ${this.kind}`;
    const replayed = sent - acknowledged;
    return `${this.#name} resumed: carrier ${carrier}, asked for what follows ${after}, ${replayed} replayed, ${received} received, try ${this.#attempt ?? 0}`;
  }

  /** The client is away, and the server stops. A client between two polls comes back soon and fetches the kept records. */
  #leave(): void {
    const { sent, acknowledged } = this.session;
    const isBetweenPolls = this.kind === "poll" && this.#liveness.isConfirmed && this.#liveness.hasJustLeft;
    // The close itself is one of the records that the client does not have.
    const hasMore = sent - acknowledged > 1;
    if (this.#state.isRestart && isBetweenPolls && hasMore && this.#state.linger())
      this.#context.lingeringBegan(this.token);
    else this.#endWith(this.#state.closeStatus ?? closeStatus("server", SERVICE_RESTART));
  }

  /** Returns the carrier, which has no owner any more. */
  #releaseCarrier(): Carrier | undefined {
    const carrier = this.#carrier;
    if (carrier !== undefined) carrier.owner = undefined;
    this.#carrier = undefined;
    return carrier;
  }

  /**
   * Ends the carrier of a request that has come again. Its client may listen to either of the two, and takes `replaced` for the
   * end of its session: it asks again after this end.
   */
  #endRepeated(carrier: Carrier): void {
    if (carrier.isParked) {
      carrier.write(this.#openRecord({ resumed: true }));
      carrier.finish();
    } else carrier.end(NORMAL, "the request was repeated");
  }

  #queueFlush(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    this.#context.flusher.add(this);
  }

  /** Ends the session. The carrier, if there is one, ends with `code` and `reason`. */
  #endWith(status: CloseStatus, code: number = NORMAL, reason = ""): void {
    if (this.isOver) return;
    this.#deliverAll();
    // A receiver may have ended the session meanwhile.
    if (!this.#state.endWith(status)) return;
    this.#incoming.clear();
    // The last connection may take seconds to end, and keeps this object until then.
    this.session.end();
    this.#context.debug?.(`${this.#name} closed: ${describeClose(status)}`);
    const carrier = this.#releaseCarrier();
    if (code === OVERFLOW && carrier?.isParked && !this.#liveness.isConfirmed) this.#refuse(carrier, code, reason);
    else carrier?.end(code, reason);
    this.posts?.check();
    this.#context.sessionEnded(this.token);
    this.listener?.transportClosed(status);
  }

  /**
   * Answers the first poll of a new session that was sent more at once than it may keep. Without an `open` its client would
   * learn nothing, and would ask for one session after the other.
   */
  #refuse(poll: Carrier, code: number, reason: string): void {
    poll.write(this.#openRecord({ resumed: false }));
    poll.write({ type: "close", code, reason });
    poll.finish();
  }
}

/** Ends a carrier of a session that is over. The client answers the end of a WebSocket, so it has to be read. */
function endUnused(carrier: Carrier): void {
  carrier.begin(undefined);
  carrier.open();
  carrier.end(NORMAL, "");
}
