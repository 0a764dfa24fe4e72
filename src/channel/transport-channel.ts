// A Channel over a Transport, and the only place that calls its callbacks. Order is its whole business: open, then
// messages one at a time, then close, once, last; nothing that a callback throws gets past here.
// Long because the order of callbacks is one idea: each half of it alone would have to trust the other.

import { utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { guard, inspectable, isThenable, settled } from "../base/guard.ts";
import type { IndexedItem } from "../base/indexed-set.ts";
import { inMicrotask } from "../base/microtask.ts";
import { encodeClosePayload } from "../codec/ws-message.ts";
import { ownSize } from "../protocol/encoded-message.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import { type CloseStatus, closeStatus } from "../transport/close-status.ts";
import type { SessionListener, Transport, TransportKind } from "../transport/transport.ts";
import type { Channel, ChannelHandlers, Message, SessionHandlers } from "./channel.ts";
import type { ChannelContext, ChannelSettings, ErrorSource } from "./context.ts";
import { failureOf, isClientsFault, OVERLOADED } from "./failure.ts";
import { nextId } from "./ids.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import { channelResponse } from "./marker.ts";
import type { Membership, MembershipHolder } from "./membership.ts";
import { Outbox, type OutboxOwner } from "./outbox.ts";
import { closeOption, type Sendable, type SendData, type SendOptions, toSendable } from "./send-data.ts";
import { discardSource } from "./source.ts";

type ChannelState = "open" | "closing" | "closed";

/** The handlers are no other channel's. */
const OWNS_HANDLERS = 1;
/** Something was given to the transport: there is no other first answer. */
const HAS_SENT = 2;
/** The setup is over. */
const SETTLED = 4;
/** All messages have been delivered. */
const INBOX_ENDED = 8;
/** The close handlers have run, or are running. */
const ENDED = 16;
/** Close handlers are running: those that are added meanwhile are not called, as with EventTarget. */
const TELLING_END = 32;

const doNothing = (): void => {};

/** The codec makes an empty close frame of it, which is the answer to one; nobody closes with it. */
const NO_STATUS = 1005;

/** While all channels together hold too much, larger messages count before they are sent: a first one may be of any size. */
const SMALL_BYTES = 16_384;
const TOTAL_EXCEEDED = "its part of maxTotalBufferedBytes, which all channels together exceed";

/**
 * Iterators that were dropped without `return()`: nobody can pull what waits any more, and behind it the end of the channel
 * would never be told.
 */
const abandoned = new FinalizationRegistry<WeakRef<Inbox>>((inbox) => inbox.deref()?.stopPulling());

export class TransportChannel
  implements Channel, SessionListener, InboxOwner, OutboxOwner, MembershipHolder, IndexedItem
{
  attachment: unknown = undefined;
  /** Index in the set of its server. */
  index: number | undefined = undefined;
  memberships: Membership | undefined = undefined;
  readonly #transport: Transport;
  readonly #context: ChannelContext;
  readonly #settings: ChannelSettings;
  /** Made for the first message: streams and polls have none, and silent clients are most. */
  #inbox: Inbox | undefined;
  #id: string | undefined;
  #handlers: SessionHandlers;
  #moreCloseHandlers: NonNullable<ChannelHandlers["close"]>[] | undefined;
  #outbox: Outbox | undefined;
  #drainWaiters: (() => void)[] | undefined;
  #response: Response | undefined;
  #abort: AbortController | undefined;
  /** Yes or no, five times. As fields of their own they were 32 bytes of each channel. */
  #flags = 0;
  #state: ChannelState = "open";
  #status: CloseStatus | undefined;

  constructor(transport: Transport, handlers: SessionHandlers, settings: ChannelSettings, context: ChannelContext) {
    this.#transport = transport;
    this.#handlers = handlers;
    this.#settings = settings;
    this.#context = context;
  }

  get id(): string {
    this.#id ??= nextId();
    return this.#id;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** True when its end is told, or is just being told: what joins it to something now would never hear of it. */
  get hasEnded(): boolean {
    return (this.#flags & ENDED) !== 0;
  }

  get isWebSocket(): boolean {
    return this.#transport.kind === "websocket";
  }

  get transport(): TransportKind {
    return this.#transport.kind;
  }

  /** True for a session's channel, whatever carries it at the moment. */
  get isSession(): boolean {
    return this.#transport.isSession === true;
  }

  get bufferedAmount(): number {
    return this.#transport.bufferedAmount + (this.#outbox?.bufferedAmount ?? 0);
  }

  get waitingMessages(): number {
    return this.#inbox?.length ?? 0;
  }

  get response(): Response {
    this.#response ??= channelResponse();
    return this.#response;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (!this.isOpen && !this.#outbox?.isBusy) this.#abortSignal();
    }
    return this.#abort.signal;
  }

  send(data: SendData, options?: SendOptions | boolean): boolean {
    return this.sendMessage(toSendable(data), options === undefined ? undefined : closeOption(options, data));
  }

  sendMessage(sendable: Sendable, closeAfterSend?: boolean): boolean {
    if (this.#state !== "open" || this.#isOverflowing(sendable.message)) {
      if (sendable.parts !== undefined) discardSource(sendable.parts);
      return false;
    }
    const last = closeAfterSend ?? this.#transport.endsAfter(sendable.message);
    this.#transmit(sendable, last);
    this.#flags |= HAS_SENT;
    this.#context.messages.sent += 1;
    if (last) this.#closing();
    return true;
  }

  close(code = 1000, reason = ""): boolean {
    // Also where no close frame goes out: what is wrong on one transport is wrong on all.
    encodeClosePayload(code, reason);
    if (code === NO_STATUS) throw new ChannelError("BAD_CLOSE", "1005 says that no code came (RFC 6455 §7.4.1)");
    if (!this.#closing()) return false;
    if (this.#outbox?.isBusy) this.#outbox.closeAfter(code, reason);
    else this.#guard("send", () => this.#transport.close(code, reason));
    return true;
  }

  terminate(): void {
    this.#closing();
    if (this.#state !== "closed") this.#transport.terminate();
  }

  ping(data: string | Uint8Array = ""): boolean {
    if (this.#state !== "open" || !this.isWebSocket) return false;
    this.#transport.ping(typeof data === "string" ? utf8Bytes(data) : data);
    return true;
  }

  drained(): Promise<void> {
    if (this.#state === "closed" || this.bufferedAmount === 0) return Promise.resolve();
    this.#transport.hurry?.();
    return new Promise((resolve) => (this.#drainWaiters ??= []).push(resolve));
  }

  onMessage(fn: NonNullable<ChannelHandlers["message"]>): () => void {
    this.#refuseSecondReceiver();
    return this.#setHandler("message", fn);
  }

  onReceive(fn: NonNullable<ChannelHandlers["message"]>): () => void {
    return this.onMessage(fn);
  }

  onClose(fn: NonNullable<ChannelHandlers["close"]>): () => void {
    if (this.#flags & ENDED) this.#tellEnd([fn]);
    else if (this.#handlers.close === undefined) this.#own().close = fn;
    else (this.#moreCloseHandlers ??= []).push(fn);
    let isAdded = true;
    return () => {
      if (isAdded) this.#removeCloseHandler(fn);
      isAdded = false;
    };
  }

  onPing(fn: NonNullable<ChannelHandlers["ping"]>): () => void {
    return this.#setHandler("ping", fn);
  }

  onPong(fn: NonNullable<ChannelHandlers["pong"]>): () => void {
    return this.#setHandler("pong", fn);
  }

  onDrain(fn: NonNullable<ChannelHandlers["drain"]>): () => void {
    return this.#setHandler("drain", fn);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    this.#refuseSecondReceiver();
    const iterator: AsyncIterableIterator<Message, undefined> = {
      next: () => this.#toInbox().pull(),
      return: () => {
        this.#toInbox().stopPulling();
        return Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
    abandoned.register(iterator, new WeakRef(this.#toInbox()));
    return iterator;
  }

  /** Runs the setup; messages flow when it has settled. Called once. */
  begin(setup: ChannelHandlers["open"]): void {
    this.#transport.listen(this);
    const opened = setup === undefined ? undefined : this.#guard("open", () => setup(this));
    if (opened !== undefined) {
      void opened.then(() => this.#settle());
      this.#transport.open();
    } else if (this.#handlers.message !== undefined) this.#start();
    // Who sets a receiver right behind `withChannel` comes in time.
    else inMicrotask(() => this.#start());
  }

  /** Ready before the transport delivers: a close that came with the first message must not end what answers it. */
  #start(): void {
    this.#settle();
    this.#transport.open();
  }

  /** The setup or the handler threw this: the answer, while nothing was sent; otherwise the end. */
  failed(error: unknown): void {
    if (this.#state !== "open") return;
    if (this.isWebSocket || this.#transport.isSession || this.#flags & HAS_SENT) this.#breakOff(1011, "");
    else this.#sendLast(failureOf(error));
  }

  /**
   * The server is stopping: a goodbye that makes the client come back to another one, after `comeBackMs` where it can be
   * told. Plain HTTP counts in seconds (RFC 9110 §10.2.3).
   */
  goAway(comeBackMs: number): void {
    if (this.#transport.isSession && this.#state !== "closed") {
      this.close(1012, "server is stopping");
      this.#transport.serverStops?.();
      return;
    }
    if (this.#state !== "open") return;
    if (this.isWebSocket) this.close(1001, "server is stopping");
    else if (this.transport === "sse") this.#sendLast({ body: null, event: { retry: comeBackMs } });
    else if (this.#flags & HAS_SENT) this.close();
    else {
      const headers = { "Retry-After": Math.ceil(comeBackMs / 1000) };
      this.#sendLast({ status: 503, headers, body: "Service Unavailable\n" });
    }
  }

  /** The server has stopped and waits for no callback any more: the end comes even while one is running. */
  abandon(): void {
    this.terminate();
    // Its transport may never have been listened to, and has told nothing then.
    this.transportClosed(closeStatus("server", 1006));
    this.#flags |= SETTLED;
    this.inboxEnded();
  }

  /** True while all channels together hold too much, and this one its equal part of it or more. */
  get holdsShare(): boolean {
    const { budget } = this.#context;
    return this.#state === "open" && budget.isExceeded && budget.isShareSpent(this.#unsentMemory);
  }

  /** Asks the client to take what it holds; a session's acknowledgements would come within a second anyway. */
  hurry(): void {
    this.#transport.hurry?.();
  }

  /** It `holdsShare` for too long: what a send would do, but that nothing is there to be dropped. */
  makeRoom(): void {
    if (this.#settings.onOverflow === "drop") return;
    this.#context.channelOverflowed(this, "close");
    this.#breakOff(1013, "too slow");
    this.#report(new ChannelError("BUFFER_OVERFLOW", TOTAL_EXCEEDED), "send");
  }

  /** About once a second, by the server's clock. */
  beat(now: number): void {
    if (this.#state !== "closed") this.#transport.beat(now, this.#settings.heartbeat);
  }

  messageArrived(data: Message): void {
    if (this.#state !== "open") return;
    this.#context.messages.received += 1;
    this.#toInbox().accept(data);
    // A session holds what its channel does not take, and makes its client wait instead (`session/hold.ts`).
    if (!this.#transport.isSession) this.refuseInput();
  }

  /**
   * All clients together have sent more than may wait: ends this one if it holds its equal part of it or more. A session's
   * client is made to wait, and ended only where that is not enough.
   */
  refuseInput(): void {
    const { received } = this.#context;
    const isTooMuch = this.#transport.isSession ? received.isFarExceeded : received.isExceeded;
    if (!isTooMuch || this.#state !== "open") return;
    const bytes = (this.#inbox?.waitingBytes ?? 0) + (this.#transport.heldBytes ?? 0);
    if (!received.isShareSpent(bytes)) return;
    this.#breakOff(1013, "too much is waiting");
    this.#report(new ChannelError("RECEIVE_OVERFLOW"), "message");
  }

  pingArrived(data: Uint8Array): void {
    const { ping } = this.#handlers;
    if (ping !== undefined) this.#guard("ping", () => ping(data, this));
  }

  pongArrived(data: Uint8Array): void {
    const { pong } = this.#handlers;
    if (pong !== undefined) this.#guard("pong", () => pong(data, this));
  }

  resumed(): void {
    const { resumed } = this.#handlers;
    if (resumed !== undefined) this.#guard("resumed", () => resumed(this));
  }

  transportChanged(): void {
    const { transport } = this.#handlers;
    if (transport !== undefined) this.#guard("transport", () => transport(this.transport, this));
  }

  bufferEmptied(): void {
    this.#outbox?.onDrain();
    if (this.#drainWaiters === undefined && this.#handlers.drain === undefined) return;
    if (this.bufferedAmount > 0) return;
    this.#resolveDrained();
    const { drain } = this.#handlers;
    if (drain !== undefined && this.#state === "open") this.#guard("drain", () => drain(this));
  }

  transportClosed(status: CloseStatus): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#status = status;
    this.#outbox?.cancel();
    this.#resolveDrained();
    this.#abortSignal();
    // Never inside the call of the application that may have caused it.
    inMicrotask(() => {
      if (this.#inbox === undefined) this.inboxEnded();
      else this.#inbox.end();
    });
  }

  deliver(message: Message): Promise<void> | undefined {
    const { message: handler } = this.#handlers;
    if (handler === undefined) return undefined;
    // Not through #guard: it would cost each message a closure.
    try {
      const result = handler(message, this) as unknown;
      return isThenable(result) ? settled(result, (error) => this.#report(error, "message")) : undefined;
    } catch (error) {
      this.#report(error, "message");
      return undefined;
    }
  }

  pauseReading(): void {
    this.#transport.pause();
  }

  resumeReading(): void {
    this.#transport.resume();
  }

  inboxHolds(before: number, after: number): void {
    this.#context.received.change(before, after);
  }

  messageTaken(): void {
    this.#transport.messageTaken?.();
  }

  inboxEnded(): void {
    this.#flags |= INBOX_ENDED;
    this.#endIfDone();
  }

  streamFailed(error: unknown): void {
    this.#breakOff(1011, "");
    this.#report(error, "send");
  }

  reportUnsent(error: unknown): void {
    this.#report(error, "send");
  }

  /** The codec refused a message, which is skipped. */
  reportUnread(error: unknown): void {
    this.#report(error, "message");
  }

  outboxHolds(before: number, after: number): void {
    this.#context.budget.change(before, after);
  }

  outboxEmptied(): void {
    if (this.#transport.bufferedAmount === 0) this.bufferEmptied();
  }

  /** The end, with a word: taken however much is unsent. Never throws. */
  #sendLast(data: SendData): void {
    try {
      this.#transmit(toSendable(data), true);
    } catch (error) {
      // The channel's own headers are none that can be sent: then it has no response at all.
      this.#breakOff(1011, "");
      this.#report(error, "send");
    }
    this.#flags |= HAS_SENT;
    this.#closing();
  }

  #transmit(sendable: Sendable, last: boolean): void {
    if (sendable.parts === undefined && !this.#outbox?.isBusy) {
      this.#transport.send(sendable.message, last);
      return;
    }
    this.#outbox ??= new Outbox(this.#transport, this);
    this.#outbox.add(sendable, last);
  }

  /**
   * The limit is on what is unsent already: one message of any size may be sent on a channel that keeps up. While all
   * channels together hold too much, a large message counts, too.
   */
  #isOverflowing(message: OutboundMessage): boolean {
    const { maxBufferedBytes, onOverflow } = this.#settings;
    const isFull = this.bufferedAmount >= maxBufferedBytes;
    if (!isFull && !(this.#context.budget.isExceeded && this.#isShareSpent(message))) return false;
    this.#context.channelOverflowed(this, onOverflow);
    if (!(this.#flags & HAS_SENT) && !this.isWebSocket && !this.isSession) this.#sendLast(OVERLOADED);
    else if (onOverflow === "drop") return true;
    else this.#breakOff(1013, "too slow");
    this.#report(new ChannelError("BUFFER_OVERFLOW", isFull ? undefined : TOTAL_EXCEEDED), "send");
    return true;
  }

  /**
   * All channels together hold too much: those that hold most pay, or would with this message. What only waits for the
   * turn's end is not held, and a message that goes to many is in memory once.
   */
  #isShareSpent(message: OutboundMessage): boolean {
    const { budget } = this.#context;
    const own = ownSize(message);
    const size = own > SMALL_BYTES ? own : 0;
    if (!budget.isShareSpent(this.#unsentMemory + size)) return false;
    this.#transport.flush();
    return budget.isShareSpent(this.#unsentMemory + size);
  }

  /** The bytes of this channel that count in `maxTotalBufferedBytes`. */
  get #unsentMemory(): number {
    return this.bufferedAmount + (this.#transport.pinnedBytes ?? 0);
  }

  /** Closes without what is still waiting: the client can tell that not all has come. */
  #breakOff(code: number, reason: string): void {
    this.#closing();
    this.#outbox?.cancel();
    this.#abortSignal();
    this.#transport.breakOff(code, reason);
  }

  /** Leaves the open state: what waits in the inbox is not delivered any more. False if it was left before. */
  #closing(): boolean {
    if (this.#state !== "open") {
      // A send that ended the response has closed the transport by now; the inbox still has to know.
      this.#inbox?.discard();
      return false;
    }
    this.#state = "closing";
    this.#inbox?.discard();
    // A stream that is on its way is still wanted: what makes it must not be told to stop.
    if (!this.#outbox?.isBusy) this.#abortSignal();
    return true;
  }

  #abortSignal(): void {
    if (this.#abort === undefined || this.#abort.signal.aborted) return;
    const isOurs = this.#status === undefined || this.#status.by === "server";
    this.#abort.abort(new ChannelError(isOurs ? "CHANNEL_CLOSED" : "CLIENT_GONE"));
  }

  #settle(): void {
    this.#flags |= SETTLED;
    this.#inbox?.release();
    this.#transport.settled();
    this.#endIfDone();
  }

  #toInbox(): Inbox {
    if (this.#inbox !== undefined) return this.#inbox;
    this.#inbox = new Inbox(this);
    if (this.#flags & SETTLED) this.#inbox.release();
    if (this.#state !== "open") this.#inbox.discard();
    return this.#inbox;
  }

  #endIfDone(): void {
    if (this.#flags & ENDED || !(this.#flags & INBOX_ENDED) || !(this.#flags & SETTLED)) return;
    this.#flags |= ENDED;
    this.memberships?.channelEnded();
    const { close } = this.#handlers;
    if (close !== undefined) (this.#moreCloseHandlers ??= []).unshift(close);
    if (this.#moreCloseHandlers !== undefined) this.#tellEnd(this.#moreCloseHandlers);
    this.#context.channelEnded(this, this.#status!);
  }

  #tellEnd(handlers: readonly NonNullable<ChannelHandlers["close"]>[]): void {
    if (this.#flags & TELLING_END) return;
    this.#flags |= TELLING_END;
    for (const handler of handlers) this.#guard("close", () => handler(this.#status!, this));
    this.#flags &= ~TELLING_END;
  }

  #removeCloseHandler(fn: NonNullable<ChannelHandlers["close"]>): void {
    const index = this.#moreCloseHandlers?.lastIndexOf(fn) ?? -1;
    if (index < 0) {
      if (this.#handlers.close === fn) this.#own().close = undefined;
    } else if (this.#flags & TELLING_END) this.#moreCloseHandlers![index] = doNothing;
    else this.#moreCloseHandlers!.splice(index, 1);
  }

  #resolveDrained(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    for (const resolve of waiters ?? []) resolve();
  }

  #refuseSecondReceiver(): void {
    if (this.#handlers.message !== undefined || this.#inbox?.isPulled === true)
      throw new ChannelError("HANDLER_EXISTS");
  }

  /** Returns the function that removes the handler; it does nothing once another one has been set. */
  #setHandler<Name extends "message" | "ping" | "pong" | "drain">(
    name: Name,
    fn: NonNullable<SessionHandlers[Name]>,
  ): () => void {
    this.#own()[name] = fn;
    return () => {
      if (this.#handlers[name] === fn) this.#own()[name] = undefined;
    };
  }

  /** `openChannel`'s handlers may serve many channels: a change is made to a copy. */
  #own(): SessionHandlers {
    if (!(this.#flags & OWNS_HANDLERS)) this.#handlers = { ...this.#handlers };
    this.#flags |= OWNS_HANDLERS;
    return this.#handlers;
  }

  /** Calls the application. A promise comes back only if one was returned, and never rejects. */
  #guard(source: ErrorSource, call: () => unknown): Promise<void> | undefined {
    return guard(call, (error) => this.#report(error, source));
  }

  #report(thrown: unknown, source: ErrorSource): void {
    const error = inspectable(thrown);
    if (source === "open") {
      this.failed(error);
      if (isClientsFault(error)) return;
    }
    const handler = this.#handlers.error;
    if (handler === undefined) {
      this.#context.report(error, { source, channel: this });
      return;
    }
    guard(
      () => handler(error, this),
      (second) => this.#context.report(second, { source, channel: this }),
    );
  }
}
