// One conversation over a Transport: it passes sent messages down to the transport and received ones up to the inbox, and
// reports the end once, last. Applications hold its `publicChannel`.
// Long because sending, receiving and the end share one state.

import { dateOf } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { guard, type Reporter } from "../base/guard.ts";
import type { IndexedItem } from "../base/indexed-set.ts";
import { inMicrotask } from "../base/microtask.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import { type CloseStatus, closeStatus } from "../transport/close-status.ts";
import type { GroupCursors } from "../transport/group-cursors.ts";
import type { IncomingRequest } from "../transport/requests.ts";
import type { MessageForm, Position, SessionListener, Transport, TransportKind } from "../transport/transport.ts";
import { Callbacks } from "./callbacks.ts";
import type { Channel, ChannelHandlers, Message, SessionHandlers } from "./channel.ts";
import { type ChannelState, hasEnded, isClosed, isOpen, isSettingUp, STATES } from "./channel-state.ts";
import type { ChannelContext, ChannelSettings, ErrorSource } from "./context.ts";
import { Drain, type Draining } from "./drain.ts";
import { EXPIRED, EXPIRED_REASON } from "./expiry.ts";
import { failureOf, isClientsFault, OVERLOADED } from "./failure.ts";
import { guardSignal } from "./guarded-signal.ts";
import { nextId } from "./ids.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import { iterate } from "./iterate.ts";
import { channelResponse } from "./marker.ts";
import type { Membership, MembershipHolder } from "./membership.ts";
import { holdsUnreadShare, type MemoryHolder } from "./memory-share.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { findOverflow, totalOverflow } from "./overflow.ts";
import { type RateExceeded, RateGate, type RateGateOwner } from "./rate-gate.ts";
import { RequestHolder } from "./request-holder.ts";
import { type Sendable, type SendInit, toSendable } from "./send-data.ts";
import { discardSource } from "./source.ts";

const SERVICE_RESTART = 1012;

export class TransportChannel
  extends RequestHolder
  implements
    SessionListener,
    InboxOwner,
    OutboxOwner,
    RateGateOwner,
    Draining,
    MembershipHolder,
    IndexedItem,
    MemoryHolder,
    Reporter<ErrorSource>
{
  /** Index in the set of its server. */
  index: number | undefined = undefined;
  memberships: Membership | undefined = undefined;
  readonly callbacks: Callbacks;
  readonly #settings: ChannelSettings;
  #state: ChannelState = STATES.settingUp;
  /** Set when the transport has ended. */
  #status: CloseStatus | undefined;
  /** Made for the first message: streams and polls have none, and most clients are silent. */
  #inbox: Inbox | undefined;
  /** Made for the first stream that is sent. */
  #outbox: Outbox | undefined;
  /** Made when something waits for an empty buffer, or is told of one. */
  #drain: Drain | undefined;
  #expiresAt: number | undefined;
  #id: string | undefined;
  #response: Response | undefined;
  #abort: AbortController | undefined;

  constructor(
    transport: Transport<SessionListener>,
    handlers: SessionHandlers,
    settings: ChannelSettings,
    context: ChannelContext,
  ) {
    super(transport, context);
    this.callbacks = new Callbacks(handlers, context);
    this.#settings = settings;
  }

  /** The channel as the application has it. */
  get publicChannel(): Channel {
    return this.callbacks.channel;
  }

  get id(): string {
    this.#id ??= nextId();
    return this.#id;
  }

  get isOpen(): boolean {
    return isOpen(this.#state);
  }

  /** True if the close handlers have run, or are running: a group that it joined now would never hear of its end. */
  get hasEnded(): boolean {
    return hasEnded(this.#state);
  }

  get transport(): TransportKind {
    return this.link.kind;
  }

  get logName(): string {
    return this.link.logName ?? this.link.kind;
  }

  get messageForm(): MessageForm {
    return this.link.messageForm;
  }

  get outlivesExchange(): boolean {
    return this.link.outlivesExchange === true;
  }

  get bufferedAmount(): number {
    return this.link.bufferedAmount + (this.#outbox?.bufferedAmount ?? 0);
  }

  get undeliveredMessages(): number {
    return this.#inbox?.undelivered ?? 0;
  }

  /** The date at which the identity of the client ends, in milliseconds since the Unix epoch; undefined: never. */
  get expiresAt(): number | undefined {
    return this.#expiresAt;
  }

  set expiresAt(date: number | undefined) {
    this.#expiresAt = date === Number.POSITIVE_INFINITY ? undefined : date;
    this.link.expiryChanged?.(this.#expiresAt);
  }

  get response(): Response {
    this.#response ??= channelResponse();
    return this.#response;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      guardSignal(this.#abort.signal, (error) => this.callbacks.report(error, "signal"));
      if (!this.isOpen && !this.#outbox?.isBusy) this.#abortSignal();
    }
    return this.#abort.signal;
  }

  /** Without a `position` the transport decides whether the message is the last one. */
  send(sendable: Sendable, position?: Position): boolean {
    if (!isOpen(this.#state) || this.#isOverflowing(sendable.message)) {
      if (sendable.parts !== undefined) discardSource(sendable.parts);
      return false;
    }
    const isLast =
      position === undefined ? this.link.closesByDefault?.(sendable.message) === true : position === "last";
    if (isLast) this.#transmitLast(sendable);
    else if (this.#mustWait(sendable)) this.#sendLater(sendable, "more");
    else this.link.send(sendable.message);
    this.context.messages.sent += 1;
    return true;
  }

  /** `send` of a text without options, which nearly every message of a WebSocket or session is: no object is made for it. */
  sendText(text: string): boolean {
    if (this.link.sendText === undefined) return this.send(toSendable(text));
    if (!isOpen(this.#state) || this.#isOverflowing(text)) return false;
    if (this.#outbox?.isBusy === true) this.#outbox.add(toSendable(text), "more");
    else this.link.sendText(text);
    this.context.messages.sent += 1;
    return true;
  }

  /** See `Transport.cursors`. */
  get cursors(): GroupCursors | undefined {
    return this.link.cursors;
  }

  /** Sends a record that is no message, in order with the messages. False if it was not taken. `isUrgent`: a full channel takes it, too. */
  sendRecord(message: OutboundMessage, isUrgent: boolean): boolean {
    if (!isOpen(this.#state) || (!isUrgent && this.#isOverflowing(message))) return false;
    if (this.#outbox?.isBusy === true) this.#outbox.add({ message, parts: undefined }, "more");
    else this.link.send(message);
    return true;
  }

  #mustWait({ parts }: Sendable): boolean {
    return parts !== undefined || this.#outbox?.isBusy === true;
  }

  #sendLater(sendable: Sendable, position: Position): void {
    this.#outbox ??= new Outbox(this.link, this.context.buffered, this);
    this.#outbox.add(sendable, position);
  }

  /** Closes first: the end of a response lets the handler of the next request run, which must find this channel closed. */
  #transmitLast(sendable: Sendable): void {
    this.#moveTo(this.#state.close);
    try {
      if (this.#mustWait(sendable)) this.#sendLater(sendable, "last");
      else this.link.sendLast(sendable.message);
    } catch (error) {
      this.#moveTo(this.#state.reopen);
      throw error;
    }
    this.#closed();
  }

  close(code = 1000, reason = ""): boolean {
    if (!this.#closing()) return false;
    this.#endWith(() => this.link.close(code, reason));
    return true;
  }

  terminate(): void {
    this.#closing();
    if (!isClosed(this.#state)) this.link.terminate();
  }

  ping(data: Uint8Array): boolean {
    return this.isOpen && this.link.ping?.(data) === true;
  }

  drained(): Promise<void> {
    if (isClosed(this.#state) || this.bufferedAmount === 0) return Promise.resolve();
    this.hurry();
    this.#drain ??= new Drain();
    return this.#drain.wait(this);
  }

  onMessage(fn: NonNullable<ChannelHandlers["message"]>): () => void {
    this.#refuseSecondReceiver();
    return this.callbacks.set("message", fn);
  }

  onClose(fn: NonNullable<ChannelHandlers["close"]>): () => void {
    if (!this.hasEnded) return this.callbacks.addClose(fn);
    if (this.#moveTo(this.#state.tellLate)) {
      this.callbacks.closeLate(fn, this.#status!);
      this.#moveTo(this.#state.endTold);
    }
    return () => {};
  }

  iterate(): AsyncIterableIterator<Message, undefined> {
    this.#refuseSecondReceiver();
    return iterate(this.#ensureInbox(), () => this.callbacks.hasReceiver);
  }

  /** Runs the setup; messages flow when it has settled. Called once. */
  begin(setup: ChannelHandlers["open"]): void {
    this.link.listen(this);
    const opened = setup === undefined ? undefined : this.callbacks.open(setup, this);
    if (opened !== undefined) {
      void opened.then(() => this.#setUp());
      this.link.open();
    } else if (this.callbacks.hasReceiver) this.#start();
    // A receiver that is set right after `withChannel` misses nothing.
    else inMicrotask(() => this.#start());
  }

  /** `#setUp` comes first: a close that arrives with the first message must not end the channel before its answer. */
  #start(): void {
    this.#setUp();
    this.link.open();
  }

  /** Called when the setup or the handler has thrown: sends an error response, or ends the channel if an answer has begun. */
  failed(error: unknown): void {
    if (this.isOpen && !this.#refuse(failureOf(error))) this.#fail(1011, "");
  }

  /** Called when the setup has thrown. A mistake of the client is answered and not reported. */
  report(error: unknown): void {
    this.failed(error);
    if (!isClientsFault(error)) this.callbacks.report(error, "open");
  }

  /** The server is stopping: the client is asked to come back after `comeBackMs`, if the transport can tell it. */
  goAway(comeBackMs: number): void {
    if (this.#closing()) this.#endWith(() => this.link.goodbye(comeBackMs));
    if (!isClosed(this.#state)) this.link.serverStops?.();
  }

  /** True if no callback of the application is running that messages wait for, and no stream is being sent. */
  get isIdle(): boolean {
    return (
      !isSettingUp(this.#state) &&
      this.#inbox?.isIdle !== false &&
      this.areRequestsIdle &&
      this.#outbox?.isBusy !== true
    );
  }

  /** The session is about to leave this process: the application gets no more messages. */
  hold(): void {
    this.requestsLeave();
    this.#inbox?.hold();
  }

  /**
   * The session leaves this process. From now on nothing is sent and no callback is called; `left` or `stay` follows. Returns the
   * messages and requests with which the application is not done; undefined if the channel cannot leave: it has ended, or a stream is
   * being sent, or the setup is running.
   */
  leave(): readonly (Message | IncomingRequest)[] | undefined {
    if (this.#outbox?.isBusy === true || !this.#moveTo(this.#state.leave)) return undefined;
    // Requests whose handlers run have arrived before the message that is being received.
    return [...this.takeRunningRequests(), ...(this.#inbox?.takeAll() ?? [])];
  }

  /** The session is in another process, or in the store. No close handler runs: the conversation goes on. */
  left(): void {
    this.#status = closeStatus("server", SERVICE_RESTART, "the session has left this process");
    this.#drain?.resolve();
    this.#abortSignal();
    this.memberships?.channelEnded();
    this.context.channelEnded(this, this.#status);
  }

  /** The session could not leave: it ends, as with a server that stops. */
  stay(comeBackMs: number): void {
    if (!this.#moveTo(this.#state.stay)) {
      // It had not begun to leave.
      this.goAway(comeBackMs);
      return;
    }
    this.#abortSignal();
    this.#endWith(() => this.link.goodbye(comeBackMs));
  }

  /** The server has stopped and waits for no callback any more: ends the channel even while one is running. */
  abandon(): void {
    this.terminate();
    // A transport without a listener has reported nothing.
    this.transportClosed(closeStatus("server", 1006));
    this.#moveTo(this.#state.setUp);
    this.#tellEnd();
  }

  get unsentMemory(): number {
    return this.bufferedAmount + (this.link.pinnedBytes ?? 0);
  }

  flush(): void {
    this.link.flush();
  }

  /** Asks the client to acknowledge now: an acknowledgement of a session may otherwise come a second later. */
  hurry(): void {
    this.link.hurry?.();
  }

  /** Ends the channel, whose client takes too little. With the policy "drop" it stays open: its sends are dropped. */
  failTooSlow(): void {
    if (this.#settings.onOverflow === "drop") return;
    this.context.channelOverflowed(this, "close");
    this.#fail(1013, "too slow");
    this.callbacks.report(totalOverflow(), "send");
  }

  /** Ends the channel, whose client has sent too much. */
  failTooMuchUnread(): void {
    this.#fail(1013, "too much is waiting");
    this.callbacks.report(new ChannelError("RECEIVE_OVERFLOW"), "message");
  }

  /** Closes the channel if the identity of its client has ended. A request that has no answer yet is refused. */
  expireIfDue(): void {
    if (this.#expiresAt === undefined || dateOf(this.context.clock) < this.#expiresAt) return;
    // A stream that is being sent, even as the last message, might never end.
    const isSending = this.#outbox?.isBusy === true;
    if (!isSending && !isOpen(this.#state)) return;
    this.context.channelExpired();
    const end = closeStatus("server", EXPIRED, EXPIRED_REASON);
    if (this.#refuse(failureOf(new ChannelError("IDENTITY_EXPIRED")), end)) return;
    if (isSending) this.#fail(EXPIRED, EXPIRED_REASON);
    else this.close(EXPIRED, EXPIRED_REASON);
  }

  /** Called about once a second, by the server's clock. */
  tick(now: number): void {
    this.#tellDropped();
    this.expireIfDue();
    if (!isClosed(this.#state)) this.link.tick(now, this.#settings.heartbeat);
  }

  messageArrived(data: Message): void {
    if (!isOpen(this.#state)) {
      // A session acknowledges the messages that its application has received, and no others.
      if (this.canHoldBack) this.#ensureInbox().refuse();
      return;
    }
    this.context.messages.received += 1;
    this.#ensureInbox().accept(data);
    if (!this.canHoldBack && holdsUnreadShare(this, this.context.received)) this.failTooMuchUnread();
  }

  protected accept(request: IncomingRequest): void {
    const inbox = this.#ensureInbox();
    if (isOpen(this.#state)) inbox.acceptRequest(request);
    else inbox.refuse();
  }

  turnCame(): void {
    this.#inbox!.turnCame();
  }

  /** A message came faster than it may. One that waits is not lost; the others are, and the application is told. */
  rateExceeded(exceeded: RateExceeded): void {
    this.context.rateExceeded(this, exceeded);
    const { policy, limit, most } = exceeded;
    if (policy === "close") this.#fail(1008, new ChannelError("RATE_EXCEEDED", `${limit} is ${most}`).message);
  }

  get unreadMemory(): number {
    return (this.#inbox?.waitingBytes ?? 0) + (this.link.heldBytes ?? 0);
  }

  get canHoldBack(): boolean {
    return this.link.holdsMessages === true;
  }

  pingArrived(data: Uint8Array): void {
    this.callbacks.ping(data);
  }

  pongArrived(data: Uint8Array): void {
    this.callbacks.pong(data);
  }

  resumed(): void {
    this.callbacks.resumed();
  }

  transportChanged(): void {
    this.callbacks.transportChanged(this.transport);
  }

  bufferEmptied(): void {
    this.#outbox?.onDrain();
    if ((this.#drain === undefined && !this.callbacks.hasDrain) || this.bufferedAmount > 0) return;
    this.#drain ??= new Drain();
    this.#drain.tell(this);
  }

  callDrain(): void {
    if (this.isOpen) this.callbacks.drain();
  }

  transportClosed(status: CloseStatus): void {
    if (!this.#moveTo(this.#state.transportEnd)) return;
    this.#status = status;
    this.#outbox?.cancel();
    this.#drain?.resolve();
    this.#abortSignal();
    this.endRequests();
    // Never inside the call of the application that may have caused it.
    inMicrotask(() => {
      if (this.#inbox === undefined) this.#tellEndIfDone();
      else this.#inbox.end();
    });
  }

  inboxEnded(): void {
    this.#tellEndIfDone();
  }

  streamFailed(error: unknown): void {
    this.#fail(1011, "");
    this.callbacks.report(error, "send");
  }

  reportUnsent(error: unknown): void {
    this.callbacks.report(error, "send");
  }

  outboxEmptied(): void {
    if (this.link.bufferedAmount === 0) this.bufferEmptied();
  }

  #isOverflowing(message: OutboundMessage | string): boolean {
    const { maxBufferedBytes, onOverflow } = this.#settings;
    const error = findOverflow(message, this, maxBufferedBytes, this.context.buffered);
    if (error === undefined) return false;
    this.context.channelOverflowed(this, onOverflow);
    if (!this.#refuse(OVERLOADED)) {
      if (onOverflow === "drop") return true;
      this.#fail(1013, "too slow");
    }
    this.callbacks.report(error, "send");
    return true;
  }

  /** Answers a request that has no answer yet, and ends the channel. False if no request waits for one. Never throws. */
  #refuse(answer: SendInit, end?: CloseStatus): boolean {
    try {
      if (this.link.refuse?.(toSendable(answer).message, end) !== true) return false;
      this.#closing();
    } catch (error) {
      // The channel's own headers cannot be sent, so the client gets no response.
      this.#fail(1011, "");
      this.callbacks.report(error, "send");
    }
    return true;
  }

  /** Ends the transport after everything that was sent. */
  #endWith(end: () => void): void {
    if (this.#outbox?.isBusy) this.#outbox.endWith(end);
    else guard(end, (error) => this.callbacks.report(error, "send"));
  }

  /** Ends the channel and drops the messages that wait: the client can tell that some are missing. */
  #fail(code: number, reason: string): void {
    this.#closing();
    this.#outbox?.cancel();
    this.#abortSignal();
    this.link.fail(code, reason);
  }

  /** Stops sending, and drops the messages that wait in the inbox. False if the channel was closed before. */
  #closing(): boolean {
    const wasOpen = this.#moveTo(this.#state.close);
    if (wasOpen) this.#closed();
    // The transport has ended; the application closes the channel and wants no more messages.
    else this.#inbox?.discard();
    return wasOpen;
  }

  #closed(): void {
    this.#inbox?.discard();
    // A stream that is being sent continues: its source must not stop.
    if (!this.#outbox?.isBusy) this.#abortSignal();
    this.endRequests();
  }

  protected endError(): ChannelError {
    const isOurs = this.#status === undefined || this.#status.by === "server";
    return new ChannelError(isOurs ? "CHANNEL_CLOSED" : "CLIENT_GONE");
  }

  #abortSignal(): void {
    if (this.#abort === undefined || this.#abort.signal.aborted) return;
    this.#abort.abort(this.endError());
  }

  #setUp(): void {
    this.#moveTo(this.#state.setUp);
    this.#inbox?.release();
    this.link.setupDone?.();
    if (isClosed(this.#state)) inMicrotask(() => this.#tellEndIfDone());
  }

  #ensureInbox(): Inbox {
    if (this.#inbox !== undefined) return this.#inbox;
    const { rates } = this.#settings;
    const gate = rates === undefined ? undefined : new RateGate(rates, this.context.clock, this);
    this.#inbox = new Inbox(this.callbacks, this.link, this.context.received, this, gate);
    if (!isSettingUp(this.#state)) this.#inbox.release();
    if (!this.isOpen) this.#inbox.discard();
    return this.#inbox;
  }

  /** The close handlers wait for the setup, the transport and the inbox. */
  #tellEndIfDone(): void {
    if (this.#state === STATES.closed && this.#inbox?.hasEnded !== false) this.#tellEnd();
  }

  #tellEnd(): void {
    if (!this.#moveTo(this.#state.tellEnd)) return;
    this.memberships?.channelEnded();
    this.#tellDropped();
    this.callbacks.close(this.#status!);
    this.#moveTo(this.#state.endTold);
    this.context.channelEnded(this, this.#status!);
  }

  /** Called about once a second, and before the end, so that a flood costs the application little. Waits for the setup. */
  #tellDropped(): void {
    const gate = this.#inbox?.gate;
    if (gate === undefined || gate.dropped === 0 || isSettingUp(this.#state)) return;
    const count = gate.dropped;
    gate.dropped = 0;
    this.callbacks.dropped(count);
  }

  #refuseSecondReceiver(): void {
    if (this.callbacks.hasReceiver || this.#inbox?.isPulled === true) throw new ChannelError("HANDLER_EXISTS");
  }

  /** `state`: the state after a step. False if the step has no effect: there is none. */
  #moveTo(state: ChannelState | undefined): boolean {
    if (state === undefined) return false;
    this.#state = state;
    return true;
  }
}
