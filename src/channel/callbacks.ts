// The callbacks of one channel. Nothing else calls them. An exception of one of them is reported, and has no effect on the
// others.

import { isAbortOf } from "../base/abort.ts";
import { guard, guardCall, guardHandler, inspectable, type Reporter } from "../base/guard.ts";
import type { HandledRequest } from "../base/handled-request.ts";
import { checkFunction } from "../base/option-values.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { TransportKind } from "../transport/transport.ts";
import {
  type AnyChannel,
  type Channel,
  HANDLER_NAMES,
  type LostSession,
  type Message,
  type SessionHandlers,
} from "./channel.ts";
import type { ChannelContext, ErrorSource } from "./context.ts";
import type { Receiver } from "./inbox.ts";
import type { Answering } from "./requests.ts";

type Handler<Name extends keyof SessionHandlers> = NonNullable<SessionHandlers[Name]>;

export class Callbacks implements Receiver, Reporter<ErrorSource> {
  /** The channel that the callbacks are given. Set once, before any of them is called. */
  channel!: Channel;
  readonly #context: ChannelContext;
  #handlers: SessionHandlers;
  /** True once the handlers are a copy of this channel's own: those of `openChannel` may serve many channels. */
  #isOwnCopy = false;
  /** Further close handlers, in the order of their registration: an object for each, as a function may be registered twice. */
  #moreCloseHandlers: Set<{ readonly handler: Handler<"close"> }> | undefined;

  constructor(handlers: SessionHandlers, context: ChannelContext) {
    this.#handlers = handlers;
    this.#context = context;
  }

  get hasReceiver(): boolean {
    return this.#handlers.message !== undefined;
  }

  get hasRequest(): boolean {
    return this.#handlers.request !== undefined;
  }

  get hasDrain(): boolean {
    return this.#handlers.drain !== undefined;
  }

  get hasSave(): boolean {
    return this.#handlers.save !== undefined;
  }

  /** Returns a function that removes the handler; it does nothing once another one has been set. */
  set<Name extends keyof SessionHandlers>(name: Name, handler: Handler<Name>): () => void {
    checkHandler(name, handler);
    this.#write(name, handler);
    let isSet = true;
    return () => {
      if (isSet && this.#handlers[name] === handler) this.#write(name, undefined);
      isSet = false;
    };
  }

  /** Returns a function that removes the handler, once. */
  addClose(handler: Handler<"close">): () => void {
    checkHandler("close", handler);
    if (this.#handlers.close === undefined && !this.#moreCloseHandlers?.size) return this.set("close", handler);
    const registration = { handler };
    this.#moreCloseHandlers ??= new Set();
    this.#moreCloseHandlers.add(registration);
    return () => void this.#moreCloseHandlers?.delete(registration);
  }

  /** Calls the setup. `reporter` receives its exception. */
  open(setup: Handler<"open">, reporter: Reporter<ErrorSource>): Promise<void> | undefined {
    return guardCall(setup, this.channel, undefined, reporter, "open");
  }

  receive(message: Message): Promise<void> | undefined {
    const { message: handler } = this.#handlers;
    return handler === undefined ? undefined : guardCall(handler, message, this.channel, this, "message");
  }

  /** Asks the request handler. False if there is none. */
  answer(data: Message, request: HandledRequest, answering: Answering): boolean {
    const { request: handler } = this.#handlers;
    if (handler === undefined) return false;
    guardHandler(() => handler(data, this.channel, request), answering, passResult, passError);
    return true;
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

  dropped(count: number): void {
    const { dropped } = this.#handlers;
    if (dropped !== undefined) void guardCall(dropped, count, this.channel, this, "dropped");
  }

  /** The setup of a session whose client has lost another one: tells of that one, and then calls `open`. */
  openedAfter(info: LostSession): Handler<"open"> | undefined {
    const { lost, open } = this.#handlers;
    if (lost === undefined) return open;
    return (channel) => {
      const told = guardCall(lost, info, channel, this, "lost");
      return told === undefined ? open?.(channel) : told.then(() => open?.(channel));
    };
  }

  resumed(): void {
    const { resumed } = this.#handlers;
    if (resumed !== undefined) void guardCall(resumed, this.channel, undefined, this, "resumed");
  }

  /** Asks the application for the state of a session that leaves this process. Rejects with what the handler throws. */
  async save(): Promise<unknown> {
    return this.#handlers.save?.(this.channel);
  }

  /** The setup of a session that has come from another process. */
  restored(state: unknown): Handler<"open"> | undefined {
    const { restored } = this.#handlers;
    return restored === undefined ? undefined : (channel) => restored(channel, state);
  }

  transportChanged(kind: TransportKind): void {
    const { transport } = this.#handlers;
    if (transport !== undefined) void guardCall(transport, kind, this.channel, this, "transport");
  }

  /** Calls all close handlers. Those that are added or removed meanwhile are not called, as with EventTarget. */
  close(status: CloseStatus): void {
    const { close } = this.#handlers;
    if (close !== undefined) this.closeLate(close, status);
    for (const { handler } of this.#moreCloseHandlers ?? []) this.closeLate(handler, status);
  }

  closeLate(handler: Handler<"close">, status: CloseStatus): void {
    void guardCall(handler, status, this.channel, this, "close");
  }

  #write<Name extends keyof SessionHandlers>(name: Name, handler: SessionHandlers[Name]): void {
    if (!this.#isOwnCopy) this.#handlers = copyHandlers(this.#handlers);
    this.#isOwnCopy = true;
    this.#handlers[name] = handler;
  }

  /**
   * Tells the error handler; without one, or if it fails, the server. A callback that ends because the signal of the channel has
   * aborted has not failed.
   */
  report(thrown: unknown, source: ErrorSource): void {
    const error = inspectable(thrown);
    if (isAbortOfChannel(this.channel, error)) return;
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

/** Returns true for an exception that says no more than that the signal of the channel has aborted. */
export function isAbortOfChannel(channel: AnyChannel, error: unknown): boolean {
  // The signal is made when it is first asked for: an open channel needs none for this.
  return !channel.isOpen && isAbortOf(channel.signal, error);
}

/** Copies handlers by their names: those of an object of a class are members of its prototype. */
export function copyHandlers(handlers: SessionHandlers): SessionHandlers {
  const copy: Record<string, unknown> = {};
  for (const name of HANDLER_NAMES) if (handlers[name] !== undefined) copy[name] = handlers[name];
  return copy;
}

/** Throws BAD_OPTION for an argument of an `on…` method that is not a function. */
export function checkHandler(name: string, handler: unknown): void {
  const method = `on${name[0]!.toUpperCase()}${name.slice(1)}`;
  checkFunction(`the argument of ${method}`, handler);
}

function passResult(to: Answering, result: unknown): void {
  to.done(result);
}

function passError(to: Answering, error: unknown): void {
  to.fail(error);
}
