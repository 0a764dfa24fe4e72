// The channel that an application gets: the members of the contract and nothing else. It costs 40 bytes per channel, and
// hides the internal members of a channel from the application.

import type { TransportKind } from "../transport/transport.ts";
import type { AnyChannel, Channel, ChannelHandlers, Message } from "./channel.ts";
import type { SendData, SendOptions } from "./send-data.ts";
import type { TransportChannel } from "./transport-channel.ts";

/** Set by the class below, which alone can read it. */
export let implementationOf: (channel: unknown) => TransportChannel | undefined;

export class PublicChannel implements Channel {
  attachment: unknown = undefined;
  readonly #channel: TransportChannel;

  static {
    implementationOf = (channel) =>
      typeof channel === "object" && channel !== null && #channel in channel ? channel.#channel : undefined;
  }

  constructor(channel: TransportChannel) {
    this.#channel = channel;
  }

  get id(): string {
    return this.#channel.id;
  }

  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  get isWebSocket(): boolean {
    return this.#channel.transport === "websocket";
  }

  get transport(): TransportKind {
    return this.#channel.transport;
  }

  get bufferedAmount(): number {
    return this.#channel.bufferedAmount;
  }

  get response(): Response {
    return this.#channel.response;
  }

  get signal(): AbortSignal {
    return this.#channel.signal;
  }

  send(data: SendData, options?: SendOptions | boolean): boolean {
    return this.#channel.send(data, options);
  }

  close(code?: number, reason?: string): boolean {
    return this.#channel.close(code, reason);
  }

  terminate(): void {
    this.#channel.terminate();
  }

  ping(data?: string | Uint8Array): boolean {
    return this.#channel.ping(data);
  }

  drained(): Promise<void> {
    return this.#channel.drained();
  }

  onMessage(fn: NonNullable<ChannelHandlers["message"]>): () => void {
    return this.#channel.onMessage(fn);
  }

  onReceive(fn: NonNullable<ChannelHandlers["message"]>): () => void {
    return this.onMessage(fn);
  }

  onClose(fn: NonNullable<ChannelHandlers["close"]>): () => void {
    return this.#channel.onClose(fn);
  }

  onPing(fn: NonNullable<ChannelHandlers["ping"]>): () => void {
    return this.#channel.callbacks.set("ping", fn);
  }

  onPong(fn: NonNullable<ChannelHandlers["pong"]>): () => void {
    return this.#channel.callbacks.set("pong", fn);
  }

  onDrain(fn: NonNullable<ChannelHandlers["drain"]>): () => void {
    return this.#channel.callbacks.set("drain", fn);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    return this.#channel.iterate();
  }
}

/**
 * True if the messages of a channel are events, which have types and ids. The messages of a session are not, on any carrier.
 * A channel of another implementation is judged by its `transport`.
 */
export function isEventStream(channel: AnyChannel): boolean {
  const own = implementationOf(channel);
  return own === undefined ? channel.transport === "sse" : own.messageForm === "event";
}
