// A session as a transport: one conversation over carriers that come and go. PROTOCOL.md specifies it. This file passes sent
// messages to the records that are kept, and received records to the channel:
//   out   send → `server-session.ts` numbers and keeps the record → `current-carrier.ts` writes it
//   in    recordArrived or take → `server-session.ts` finds whether it is new → `incoming.ts` delivers it
// `ending.ts` ends the session. There is no timer: the server ticks once a second.
// Long because carriers, POSTs and a move to another process act on the same session in any order.

import { shortToken } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import { decodeRequest, encodeFailure, type RequestContent } from "../codec/request-record.ts";
import type { NumberedRecord, SessionRecord } from "../codec/session-record.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import { OutboundRequest } from "../protocol/outbound-request.ts";
import type { CompactRecord } from "../protocol/session.ts";
import { type CloseStatus, describeClose } from "../transport/close-status.ts";
import type { GroupCursors } from "../transport/group-cursors.ts";
import type { SessionListener, Transport, TransportKind } from "../transport/transport.ts";
import type { Carrier, CarrierOwner } from "./carrier.ts";
import type { Claim } from "./claim.ts";
import { NORMAL, POLICY_VIOLATION, SERVICE_RESTART, TRY_AGAIN_LATER } from "./close-codes.ts";
import type { SessionContext, SessionSettings } from "./context.ts";
import { type CarrierRequest, CurrentCarrier } from "./current-carrier.ts";
import { Ending, type EndingOwner } from "./ending.ts";
import { dataRecord, toRecord } from "./form.ts";
import type { Posts } from "./posts.ts";
import type { Requests } from "./requests.ts";
import { ServerSession } from "./server-session.ts";
import type { SessionSnapshot, WaitingItem } from "./snapshot.ts";

export class SessionTransport implements Transport<SessionListener>, CarrierOwner, EndingOwner {
  readonly session: ServerSession;
  posts: Posts | undefined;
  readonly #carrier: CurrentCarrier;
  /** Made when something of the end happens first: nearly all sessions are idle. */
  #ending: Ending | undefined;
  readonly #context: SessionContext;
  #isLeaving = false;
  /** Records of the present carrier that wait for the claim on the session. */
  #early: CompactRecord[] | undefined;
  /** Messages and requests that had arrived in another process. */
  #inbox: readonly WaitingItem[] | undefined;

  constructor(token: string, kind: TransportKind, settings: SessionSettings, context: SessionContext) {
    this.session = new ServerSession(token, settings, context);
    this.#carrier = new CurrentCarrier(kind, this.session, context);
    this.#context = context;
  }

  get messageForm(): "message" {
    return "message";
  }

  get holdsMessages(): true {
    return true;
  }

  /** The kind of the carrier, or of the last one. */
  get kind(): TransportKind {
    return this.#carrier.kind;
  }

  get cursors(): GroupCursors | undefined {
    return this.session.cursors;
  }

  get requests(): Requests | undefined {
    return this.session.requests;
  }

  get logName(): string {
    return `session on ${this.kind}`;
  }

  get outlivesExchange(): boolean {
    return this.#carrier.isWebSocket;
  }

  /** Bytes that the client has not acknowledged. */
  get bufferedAmount(): number {
    return this.session.bufferedAmount;
  }

  get heldBytes(): number {
    return this.session.incoming.bytes;
  }

  get listener(): SessionListener | undefined {
    return this.session.incoming.listener;
  }

  get isOver(): boolean {
    return this.session.state.isOver;
  }

  /** True from the moment at which the session is about to leave this process. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /**
   * Takes the session out of use: nothing is read, written or acknowledged any more, and POSTs lose their connections. `left` or
   * `stay` follows.
   */
  suspend(): void {
    this.#isLeaving = true;
    if (this.requests !== undefined) this.requests.isLeaving = true;
    // Nothing is done any more for which the claim would be needed.
    this.session.claim?.giveUp();
    this.#carrier.suspend();
    this.posts?.dropAll();
  }

  /** The session store has the session: its client comes back and finds it in another process. */
  left(): void {
    const { session } = this;
    if (!session.state.leave()) return;
    session.end();
    this.#carrier.endSuspended();
    this.#context.sessionLeft(session.token);
    this.posts?.check();
  }

  /** Takes the messages and requests that wait here for the application. */
  waiting(): readonly WaitingItem[] {
    return [...(this.#inbox ?? []), ...this.session.incoming.takeAll()];
  }

  /** The session cannot leave. Its channel is closed next. */
  stay(): void {
    this.#isLeaving = false;
    this.#carrier.resumeSuspended(this);
  }

  /** Continues the session of another process. Messages that had arrived there, and all that is new, wait for the claim. */
  restore(snapshot: SessionSnapshot, claim: Claim): void {
    this.session.restore(snapshot);
    this.session.claim = claim;
    this.#carrier.liveness.isConfirmed = true;
    this.#inbox = snapshot.inbox;
    if (snapshot.inbox.length > 0) claim.request();
  }

  /** Another process has the session. */
  elsewhere(): void {
    this.#ensureEnding().elsewhere();
  }

  /** The session, which came from another process, is this one's alone: what has waited goes on. */
  claimed(): void {
    const { session } = this;
    session.claim = undefined;
    // Before anything is delivered: what a receiver sends is written behind them.
    this.#carrier.claimed();
    const inbox = this.#inbox ?? [];
    this.#inbox = undefined;
    for (const item of inbox) this.#deliver(item);
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const record of early) this.recordArrived(record);
    if (early.length > 0 && !session.incoming.isFull) this.#carrier.resume();
    this.posts?.check();
  }

  /** Continues the session on `carrier`, in place of the one that it has. */
  attach(carrier: Carrier, request: CarrierRequest): void {
    const { session } = this;
    const { after, attempt, isResumed, isPrompt } = request;
    // Its client sends them again: the new carrier says what has arrived.
    this.#early = undefined;
    const isRepeated = attempt !== undefined && attempt === session.attempt;
    if (attempt !== undefined) session.attempt = attempt;
    this.#carrier.replace(isRepeated ? "sameAttempt" : "newAttempt");
    // No carrier is set here: a callback may send (its record follows `open`) or end the session.
    this.#acknowledged(after);
    if (this.isOver) {
      endUnused(carrier);
      return;
    }
    const kindBefore = this.kind;
    this.#context.debug?.(describeAttach(session, kindBefore, carrier.kind, request));
    // A poll follows each poll. Only the first one on a carrier, which is prompt, means that the client is back.
    const hasMoved = kindBefore !== carrier.kind;
    const isBack = hasMoved || isPrompt || !carrier.isParked;
    if (isBack) {
      const replayed = session.sent - session.acknowledged;
      this.#context.carrierAttached(session.token, { transport: carrier.kind, isResumed, replayed });
    }
    if (!this.#carrier.attach(carrier, this, request) || !isResumed) return;
    if (isBack) this.listener?.resumed();
    if (hasMoved) this.listener?.transportChanged();
  }

  listen(listener: SessionListener): void {
    this.session.incoming.listener = listener;
    const { end } = this.session.state;
    if (end !== undefined) listener.transportClosed(end);
  }

  open(): void {
    this.#carrier.open();
  }

  send(message: OutboundMessage): void {
    if (message.body !== null && this.session.state.isOpen) this.keep(toRecord(message));
    if (message instanceof OutboundRequest && this.session.awaitsReply) this.#replyIsAwaited();
  }

  sendText(text: string): void {
    if (this.session.state.isOpen) this.keep(text);
  }

  sendLast(message: OutboundMessage): void {
    this.send(message);
    this.close(NORMAL, "");
  }

  /** Sends each part as a message, as an event stream does: a record is kept whole until it is acknowledged. */
  part(data: string | Uint8Array): void {
    if (this.session.state.isOpen) this.keep(dataRecord(data));
  }

  /** A record of a WebSocket. It has the number after that of the record before. */
  recordArrived(record: CompactRecord): void {
    const { session } = this;
    this.#carrier.liveness.isConfirmed = true;
    try {
      if (typeof record === "string" || isFromClient(record)) {
        if (session.claim !== undefined) this.#waitForClaim(record);
        else if (session.receiveNext(record)) this.#received(record);
      } else if (record.type === "ack") this.#acknowledged(record.received);
      else if (record.type === "from") session.continueAt(record.number);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      this.#ensureEnding().protocolBroken(error);
    }
    this.#carrier.acknowledgeIfDue();
  }

  /**
   * Takes the acknowledgements among posted records at once, before messages that wait. Throws BAD_RECORD, and takes none, if
   * there is a record that a client must not send.
   */
  takeAcks(records: readonly SessionRecord[]): void {
    const { sent } = this.session;
    let received = 0;
    for (const record of records) {
      if (record.type === "open" || record.type === "group")
        throw new ChannelError("BAD_RECORD", `${record.type} from a client`);
      if (record.type === "ack") received = Math.max(received, record.received);
    }
    if (received > sent) throw new ChannelError("BAD_RECORD", `ack ${received} of ${sent}`);
    this.#carrier.liveness.isConfirmed = true;
    this.#carrier.liveness.heard();
    this.#acknowledged(received);
  }

  /** Throws BAD_RECORD if one of the posted records is a request that must not come: none of them is accepted then (§5). */
  checkRequests(from: number, records: readonly NumberedRecord[]): void {
    const isNew = (_: unknown, i: number): boolean => from + i > this.session.received;
    const contents = records.filter(isNew).flatMap((record) => (record.type === "request" ? [record.data] : []));
    if (contents.length === 0) return;
    if (this.session.requests === undefined) throw notAnnounced();
    this.session.requests.check(contents);
  }

  /** Takes posted records. The first has the number `from`, which must leave no gap. */
  take(from: number, records: readonly NumberedRecord[]): void {
    this.#carrier.liveness.heard();
    for (const [i, record] of records.entries()) {
      if (this.isOver) return;
      if (this.session.receive(from + i, record)) this.#received(record);
    }
    this.posts?.check();
  }

  /** The channel takes no messages. The carrier is read on: acknowledgements must not wait behind messages. */
  pause(): void {
    this.session.incoming.pause();
  }

  resume(): void {
    // The channel hands over its messages, which gives it room: those that wait behind them must not follow into it.
    if (this.#isLeaving) return;
    if (this.session.incoming.resume()) this.#carrier.resume();
    this.posts?.check();
  }

  messageTaken(): void {
    this.#carrier.acknowledgeIfDue();
    this.posts?.check();
  }

  expiryChanged(expiresAt: number | undefined): void {
    this.session.expiresAt = expiresAt;
  }

  hurry(): void {
    this.#carrier.hurry();
  }

  flush(): void {
    this.#carrier.flush();
  }

  ping(data: Uint8Array): boolean {
    return this.#carrier.ping(data);
  }

  /** The close is kept and acknowledged like a message: `transportClosed` may follow as late as the client comes back. */
  close(code: number, reason: string): void {
    this.#ensureEnding().close(code, reason);
  }

  /** `TRY_AGAIN_LATER`: the client is too slow or away too long. `POLICY_VIOLATION`: it sends more than it may. */
  fail(code: number, reason: string): void {
    if (code === TRY_AGAIN_LATER) this.#ensureEnding().overflowed();
    else if (code === POLICY_VIOLATION) this.#ensureEnding().refuse(code, reason);
    else this.close(code, reason);
  }

  goodbye(): void {
    this.close(SERVICE_RESTART, "server is stopping");
  }

  serverStops(): void {
    this.#ensureEnding().serverStops();
  }

  terminate(): void {
    this.#ensureEnding().terminate();
  }

  tick(now: number): void {
    if (this.isOver) return;
    this.posts?.check(now);
    if (!this.#carrier.isAway || this.posts?.areUnderWay === true) this.#ending?.tick(now);
    if (this.isOver) return;
    if (!this.#carrier.isAway) {
      this.#carrier.tick(now);
      return;
    }
    // A client that is still sending a POST is not away.
    if (this.posts?.areUnderWay) this.#carrier.liveness.heard();
    this.#ensureEnding().tickAway(now);
  }

  carrierFailed(status: CloseStatus): void {
    this.#ensureEnding().carrierFailed(status);
  }

  carrierEnded(status: CloseStatus): void {
    this.#carrier.release();
    this.#carrier.liveness.carrierEnded();
    // Not logged for polls: each ends after one answer.
    if (!this.#carrier.isPoll) {
      this.#context.carrierLost(this.session.token, this.kind, status);
      const name = shortToken(this.session.token);
      this.#context.debug?.(`session ${name} lost its carrier: ${this.kind}, ${describeClose(status)}`);
    }
    this.#ensureEnding().carrierEnded(status);
  }

  ended(status: CloseStatus): void {
    this.session.claim?.giveUp();
    this.posts?.check();
    this.listener?.transportClosed(status);
  }

  /** The record is kept until the client has acknowledged it. */
  protected keep(record: CompactRecord<NumberedRecord>): void {
    this.session.send(record);
    this.#carrier.write(record);
  }

  #ensureEnding(): Ending {
    this.#ending ??= new Ending(this.session, this.#carrier, this.#context, this);
    return this.#ending;
  }

  #waitForClaim(record: CompactRecord): void {
    (this.#early ??= []).push(record);
    this.#carrier.pause();
    this.session.claim?.request();
  }

  /** The client has all records up to this number. */
  #acknowledged(number: number): void {
    if (!this.session.acknowledge(number) || this.bufferedAmount > 0) return;
    if (this.session.state.isOpen) this.listener?.bufferEmptied();
    else this.#ensureEnding().closeAcknowledged();
  }

  /** The client's next record has arrived, for the first time. */
  #received(record: CompactRecord<NumberedRecord>): void {
    if (typeof record === "string") this.#messageReceived(record);
    else if (record.type === "message") this.#messageReceived(record.data);
    else if (record.type === "close") this.#ensureEnding().clientClosed(record);
    else if (record.type === "since") this.session.cursors?.tell(record);
    else if (record.type === "request") this.#requestReceived(decodeRequest(record.data));
  }

  #requestReceived(content: RequestContent): void {
    const { requests, incoming } = this.session;
    const { verb, id } = content;
    if (requests === undefined) throw notAnnounced();
    if (verb === "cancel") requests.cancelled(id);
    else if (verb !== "ask") this.listener?.replyArrived(content);
    else {
      const request = requests.arrived(content);
      if (request === undefined) this.#refuseRequest(id);
      else if (incoming.addRequest(request)) this.#carrier.pause();
    }
  }

  #refuseRequest(id: number): void {
    if (this.session.state.isOpen) this.keep(new OutboundRequest(encodeFailure(id, { code: "TOO_MANY_REQUESTS" })));
  }

  /** The reply may come behind messages that wait for the application: its client is let send them. */
  #replyIsAwaited(): void {
    this.#carrier.acknowledgeIfDue();
    this.posts?.check();
  }

  /** A message or request that had arrived in another process. */
  #deliver(item: WaitingItem): void {
    const { requests, incoming } = this.session;
    if (typeof item === "string" || item instanceof Uint8Array) incoming.add(item);
    else incoming.addRequest(requests!.restored(item.id, item.data));
  }

  #messageReceived(data: string | Uint8Array): void {
    if (this.session.incoming.add(data)) this.#carrier.pause();
  }
}

function notAnnounced(): ChannelError {
  return new ChannelError("BAD_RECORD", "a request, which the client has not announced");
}

function isFromClient(record: SessionRecord): record is NumberedRecord {
  return record.type === "message" || record.type === "close" || record.type === "since" || record.type === "request";
}

/** Ends a carrier of a session that is over. The client answers the end of a WebSocket, so it has to be read. */
function endUnused(carrier: Carrier): void {
  carrier.begin(undefined);
  carrier.open();
  carrier.end(NORMAL, "");
}

function describeAttach(
  session: ServerSession,
  from: TransportKind,
  to: TransportKind,
  { after, isResumed }: CarrierRequest,
): string {
  const { token, sent, acknowledged, received, attempt = 0 } = session;
  if (!isResumed) return `session ${shortToken(token)} opened: carrier ${to}`;
  const carrier = from === to ? to : `changes from ${from} to ${to}`;
  const replayed = sent - acknowledged;
  return `session ${shortToken(token)} resumed: carrier ${carrier}, asked for what follows ${after}, ${replayed} replayed, ${received} received, try ${attempt}`;
}
