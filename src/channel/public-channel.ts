// The channel that an application gets: the members of the contract and nothing else. It checks and converts what the
// application gives. It costs 40 bytes per channel, and hides the internal members of a channel from the application.

import { utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { show } from "../base/option-values.ts";
import { encodeClosePayload } from "../codec/ws-message.ts";
import { checkRequestOptions, type RequestOptions } from "../protocol/asked-requests.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { AnyChannel, Channel, ChannelHandlers, Message, SessionHandlers } from "./channel.ts";
import { checkExpiry } from "./expiry.ts";
import { bodyOf } from "./requests.ts";
import { positionOf, type SendData, type SendOptions, toSendable } from "./send-data.ts";
import type { TransportChannel } from "./transport-channel.ts";

/** The code that stands for a close frame without a code. A server sends such a frame only as an answer. */
const NO_STATUS = 1005;

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

  get expiresAt(): number | undefined {
    return this.#channel.expiresAt;
  }

  set expiresAt(date: number | Date | undefined) {
    if (date !== undefined) checkExpiry("expiresAt", date);
    this.#channel.expiresAt = date === undefined ? undefined : Number(date);
  }

  get response(): Response {
    return this.#channel.response;
  }

  get signal(): AbortSignal {
    return this.#channel.signal;
  }

  send(data: SendData, options?: SendOptions | boolean): boolean {
    if (typeof data === "string" && options === undefined) return this.#channel.sendText(data);
    return this.#channel.send(toSendable(data), options === undefined ? undefined : positionOf(options, data));
  }

  // Async: what is wrong with a request rejects its promise.
  async request(data: SendData, options: RequestOptions = {}): Promise<Message> {
    checkRequestOptions(options);
    return this.#channel.request(bodyOf(data), options);
  }

  close(code = 1000, reason = ""): boolean {
    checkClose(code, reason);
    return this.#channel.close(code, reason);
  }

  terminate(): void {
    this.#channel.terminate();
  }

  ping(data: string | Uint8Array = ""): boolean {
    if (typeof data !== "string" && !(data instanceof Uint8Array)) {
      throw new ChannelError("BAD_DATA", `a ping carries text or bytes, not ${show(data)}`);
    }
    return this.#channel.ping(typeof data === "string" ? utf8Bytes(data) : data);
  }

  drained(): Promise<void> {
    return this.#channel.drained();
  }

  onMessage(fn: NonNullable<ChannelHandlers["message"]>): () => void {
    return this.#channel.onMessage(fn);
  }

  onRequest(fn: NonNullable<SessionHandlers["request"]>): () => void {
    return this.#channel.onRequest(fn);
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

  onDropped(fn: NonNullable<ChannelHandlers["dropped"]>): () => void {
    return this.#channel.callbacks.set("dropped", fn);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Message, undefined> {
    return this.#channel.iterate();
  }
}

/** Throws BAD_CLOSE, on every transport, although only a WebSocket sends the code. */
export function checkClose(code: number, reason: string): void {
  if (typeof reason !== "string") throw new ChannelError("BAD_CLOSE", `the reason is ${show(reason)}, not a string`);
  encodeClosePayload(code, reason);
  if (code === NO_STATUS)
    throw new ChannelError("BAD_CLOSE", "1005 says that no code came (RFC 6455 §7.4.1); give 1000");
}

/**
 * True if the messages of a channel are events, which have types and ids. The messages of a session are not, on any carrier.
 * A channel of another implementation is judged by its `transport`.
 */
export function isEventStream(channel: AnyChannel): boolean {
  const own = implementationOf(channel);
  return own === undefined ? channel.transport === "sse" : own.messageForm === "event";
}
