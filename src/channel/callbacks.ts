// The callbacks of one channel, and the only place that calls them. What one of them throws is reported, and reaches
// nobody else.

import { guard, guardCall, inspectable, type Reporter } from "../base/guard.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { Channel, Message, SessionHandlers } from "./channel.ts";
import type { ChannelContext, ErrorSource } from "./context.ts";
import type { Receiver } from "./inbox.ts";

type Handler<Name extends keyof SessionHandlers> = NonNullable<SessionHandlers[Name]>;

const doNothing = (): void => {};

export class Callbacks implements Receiver, Reporter<ErrorSource> {
  /** The channel that the callbacks are given. Set once, before any of them is called. */
  channel!: Channel;
  readonly #context: ChannelContext;
  #handlers: SessionHandlers;
  /** True once the handlers are a copy of this channel's own: those of `openChannel` may serve many channels. */
  #isOwnCopy = false;
  #moreCloseHandlers: Handler<"close">[] | undefined;
  #isTellingEnd = false;

  constructor(handlers: SessionHandlers, context: ChannelContext) {
    this.#handlers = handlers;
    this.#context = context;
  }

  get hasReceiver(): boolean {
    return this.#handlers.message !== undefined;
  }

  get hasDrain(): boolean {
    return this.#handlers.drain !== undefined;
  }

  /** Returns a function that removes the handler; it does nothing once another one has been set. */
  set<Name extends keyof SessionHandlers>(name: Name, handler: Handler<Name>): () => void {
    this.#write(name, handler);
    return () => {
      if (this.#handlers[name] === handler) this.#write(name, undefined);
    };
  }

  /** Returns a function that removes the handler, once. */
  addClose(handler: Handler<"close">): () => void {
    if (this.#handlers.close === undefined) this.#write("close", handler);
    else {
      this.#moreCloseHandlers ??= [];
      this.#moreCloseHandlers.push(handler);
    }
    let isAdded = true;
    return () => {
      if (isAdded) this.#removeClose(handler);
      isAdded = false;
    };
  }

  /** Calls the setup. `reporter` receives what it throws. */
  open(setup: Handler<"open">, reporter: Reporter<ErrorSource>): Promise<void> | undefined {
    return guardCall(setup, this.channel, undefined, reporter, "open");
  }

  receive(message: Message): Promise<void> | undefined {
    const { message: handler } = this.#handlers;
    return handler === undefined ? undefined : guardCall(handler, message, this.channel, this, "message");
  }

  ping(data: Uint8Array): void {
    const { ping } = this.#handlers;
    if (ping !== undefined) void guardCall(ping, data, this.channel, this, "ping");
  }

  pong(data: Uint8Array): void {
    const { pong } = this.#handlers;
    if (pong !== undefined) void guardCall(pong, data, this.channel, this, "pong");
  }

  drain(): void {
    const { drain } = this.#handlers;
    if (drain !== undefined) void guardCall(drain, this.channel, undefined, this, "drain");
  }

  resumed(): void {
    const { resumed } = this.#handlers;
    if (resumed !== undefined) void guardCall(resumed, this.channel, undefined, this, "resumed");
  }

  transportChanged(kind: TransportKind): void {
    const { transport } = this.#handlers;
    if (transport !== undefined) void guardCall(transport, kind, this.channel, this, "transport");
  }

  /** Calls all close handlers. Those that are added or removed meanwhile are not called, as with EventTarget. */
  close(status: CloseStatus): void {
    const { close } = this.#handlers;
    const more = this.#moreCloseHandlers;
    if (more === undefined) {
      if (close !== undefined) this.closeLate(close, status);
      return;
    }
    if (close !== undefined) more.unshift(close);
    this.#write("close", undefined);
    this.#isTellingEnd = true;
    for (let i = 0; i < more.length; i++) this.closeLate(more[i]!, status);
    this.#isTellingEnd = false;
  }

  closeLate(handler: Handler<"close">, status: CloseStatus): void {
    void guardCall(handler, status, this.channel, this, "close");
  }

  #write<Name extends keyof SessionHandlers>(name: Name, handler: SessionHandlers[Name]): void {
    if (!this.#isOwnCopy) this.#handlers = { ...this.#handlers };
    this.#isOwnCopy = true;
    this.#handlers[name] = handler;
  }

  #removeClose(handler: Handler<"close">): void {
    const index = this.#moreCloseHandlers?.lastIndexOf(handler) ?? -1;
    if (index === -1) {
      if (this.#handlers.close === handler) this.#write("close", undefined);
      // While the handlers are called, the others keep their places.
    } else if (this.#isTellingEnd) this.#moreCloseHandlers![index] = doNothing;
    else this.#moreCloseHandlers!.splice(index, 1);
  }

  /** Tells the error handler; without one, or if it fails, the server. */
  report(thrown: unknown, source: ErrorSource): void {
    const error = inspectable(thrown);
    const { error: handler } = this.#handlers;
    if (handler === undefined) this.#reportToServer(error, source);
    else {
      guard(
        () => handler(error, this.channel),
        (second) => this.#reportToServer(second, source),
      );
    }
  }

  #reportToServer(error: unknown, source: ErrorSource): void {
    this.#context.report(error, { source, channel: this.channel });
  }
}
