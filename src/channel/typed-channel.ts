// A channel whose messages are values of the application: a codec stands between it and what goes over the wire. Only
// who asks for one has one; a channel without a codec knows nothing of this.

import { callSync } from "../base/guard.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { Transport } from "../transport/transport.ts";
import type { AnyChannel, Channel, ChannelHandlers, Message, SessionHandlers } from "./channel.ts";
import type { ChannelContext, ChannelSettings } from "./context.ts";
import { PreparedMessage } from "./prepared-message.ts";
import type { SendData, SendOptions } from "./send-data.ts";
import { TransportChannel } from "./transport-channel.ts";

export type AnyCodec = MessageCodec<unknown, never>;

type Receive = NonNullable<ChannelHandlers["message"]>;

/** Implements `Channel<In, Out>` of its codec; the class it extends knows messages alone. */
export class TypedChannel extends TransportChannel {
  readonly #codec: AnyCodec;
  /** Of a plain HTTP answer. */
  readonly #contentType: string | undefined;

  constructor(
    transport: Transport,
    handlers: SessionHandlers,
    settings: ChannelSettings,
    context: ChannelContext,
    codec: AnyCodec,
    contentType: string | undefined,
  ) {
    const { message } = handlers;
    super(
      transport,
      message === undefined ? handlers : { ...handlers, message: decoding(message, codec) },
      settings,
      context,
    );
    this.#codec = codec;
    this.#contentType = contentType;
  }

  override send(value: unknown, options?: SendOptions | boolean): boolean {
    return super.send(value instanceof PreparedMessage ? value : this.#encode(value), options);
  }

  /** What is a message already goes past the codec. */
  sendRaw(data: SendData, closeAfterSend?: boolean): boolean {
    return super.send(data, closeAfterSend);
  }

  override onMessage(fn: Receive): () => void {
    return super.onMessage(decoding(fn, this.#codec));
  }

  override [Symbol.asyncIterator](): AsyncIterableIterator<never, undefined> {
    return this.#decoded(super[Symbol.asyncIterator]());
  }

  #encode(value: unknown): SendData {
    const body = callSync("codec.encode", () => this.#codec.encode(value as never));
    if (this.#contentType === undefined || this.transport !== "stream") return body;
    return { headers: { "Content-Type": this.#contentType }, body };
  }

  async *#decoded(messages: AsyncIterable<Message>): AsyncGenerator<never, undefined> {
    for await (const message of messages) {
      let value: unknown;
      try {
        value = decode(this.#codec, message);
      } catch (error) {
        // It goes on, as it does behind a receiver that throws.
        this.reportUnread(error);
        continue;
      }
      yield value as never;
    }
    return undefined;
  }
}

/** A channel with the codec, or without one. `contentType`: of a plain HTTP answer with a value. */
export function makeChannel(
  transport: Transport,
  handlers: SessionHandlers,
  settings: ChannelSettings,
  context: ChannelContext,
  codec: AnyCodec | undefined,
  contentType: string | undefined,
): TransportChannel {
  if (codec === undefined) return new TransportChannel(transport, handlers, settings, context);
  return new TypedChannel(transport, handlers, settings, context, codec, contentType);
}

/** Sends text, bytes and the like to a channel of any kind. */
export function sendRaw(channel: AnyChannel, data: SendData, closeAfterSend?: boolean): boolean {
  if (channel instanceof TypedChannel) return channel.sendRaw(data, closeAfterSend);
  return (channel as unknown as Channel).send(data, closeAfterSend);
}

/** A receiver of values as one of messages: what the codec throws is reported as what the receiver throws. */
function decoding(receive: Receive, codec: AnyCodec): Receive {
  return (message, channel) => receive(decode(codec, message) as Message, channel);
}

function decode(codec: AnyCodec, message: Message): unknown {
  return callSync("codec.decode", () => codec.decode(message));
}
