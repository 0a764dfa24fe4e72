// A channel whose messages are values of the application: a codec converts them when the application sends and receives.
// All code below knows only messages, so a channel without a codec pays nothing for this.

import { isThenable } from "../base/guard.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { RequestOptions } from "../protocol/asked-requests.ts";
import type { Transport } from "../transport/transport.ts";
import { checkHandler, copyHandlers } from "./callbacks.ts";
import type { AnyChannel, Channel, ChannelHandlers, Message, SessionHandlers } from "./channel.ts";
import { decodeMessage, encodeValue } from "./codec-calls.ts";
import type { ChannelContext, ChannelSettings } from "./context.ts";
import { PreparedMessage } from "./prepared-message.ts";
import { implementationOf, PublicChannel } from "./public-channel.ts";
import { UndecodedRequest } from "./requests.ts";
import { type SendData, type SendOptions, toSendable } from "./send-data.ts";
import { TransportChannel } from "./transport-channel.ts";

export type AnyCodec = MessageCodec<unknown, never>;

type Answer = NonNullable<SessionHandlers["request"]>;

type Receive = NonNullable<ChannelHandlers["message"]>;

/** Implements `Channel<In, Out>` of its codec. */
class TypedChannel extends PublicChannel {
  readonly #messages: TransportChannel;
  readonly #codec: AnyCodec;
  /** The `Content-Type` of a plain HTTP answer. */
  readonly #contentType: string | undefined;

  constructor(messages: TransportChannel, codec: AnyCodec, contentType: string | undefined) {
    super(messages);
    this.#messages = messages;
    this.#codec = codec;
    this.#contentType = contentType;
  }

  override send(value: unknown, options?: SendOptions | boolean): boolean {
    return super.send(value instanceof PreparedMessage ? value : this.#encode(value), options);
  }

  override onMessage(fn: Receive): () => void {
    checkHandler("message", fn);
    return super.onMessage(decoding(fn, this.#codec));
  }

  override async request(value: unknown, options?: RequestOptions): Promise<never> {
    const reply = await super.request(encodeValue(this.#codec, value), options);
    return decodeMessage(this.#codec, reply) as never;
  }

  override onRequest(fn: Answer): () => void {
    checkHandler("request", fn);
    return super.onRequest(converting(fn, this.#codec));
  }

  override [Symbol.asyncIterator](): AsyncIterableIterator<never, undefined> {
    return this.#decoded(super[Symbol.asyncIterator]());
  }

  #encode(value: unknown): SendData {
    const body = encodeValue(this.#codec, value);
    if (this.#contentType === undefined || this.#messages.messageForm !== "body") return body;
    return { headers: { "Content-Type": this.#contentType }, body };
  }

  async *#decoded(messages: AsyncIterable<Message>): AsyncGenerator<never, undefined> {
    for await (const message of messages) {
      let value: unknown;
      try {
        value = decodeMessage(this.#codec, message);
      } catch (error) {
        // The loop goes on, as messages do after a receiver has thrown.
        this.#messages.callbacks.report(error, "message");
        continue;
      }
      yield value as never;
    }
    return undefined;
  }
}

/** The parts that a channel is made of. */
export interface ChannelParts {
  readonly transport: Transport;
  readonly handlers: SessionHandlers;
  readonly settings: ChannelSettings;
  /** Undefined: the channel sends and receives text and bytes. */
  readonly codec?: AnyCodec | undefined;
  /** The `Content-Type` of a plain HTTP answer with a value of the codec. */
  readonly contentType?: string | undefined;
}

export function makeChannel(context: ChannelContext, parts: ChannelParts): TransportChannel {
  const { transport, handlers, settings, codec, contentType } = parts;
  const own = codec === undefined ? handlers : typedHandlers(handlers, codec);
  const channel = new TransportChannel(transport, own, settings, context);
  channel.callbacks.channel =
    codec === undefined ? new PublicChannel(channel) : new TypedChannel(channel, codec, contentType);
  return channel;
}

function typedHandlers(handlers: SessionHandlers, codec: AnyCodec): SessionHandlers {
  const { message, request } = handlers;
  if (message === undefined && request === undefined) return handlers;
  const own = copyHandlers(handlers);
  if (message !== undefined) own.message = decoding(message, codec);
  if (request !== undefined) own.request = converting(request, codec);
  return own;
}

/** Sends data that a codec has encoded already: the codec of the channel does not convert it. */
export function sendRaw(channel: AnyChannel, data: SendData): boolean {
  const own = implementationOf(channel);
  return own === undefined ? (channel as unknown as Channel).send(data) : own.send(toSendable(data));
}

/** Makes a receiver of messages from one of values. Exceptions of the codec are reported like those of the receiver. */
function decoding(receive: Receive, codec: AnyCodec): Receive {
  return (message, channel) => receive(decodeMessage(codec, message) as Message, channel);
}

/** Makes a handler of requests from one of values. */
function converting(answer: Answer, codec: AnyCodec): Answer {
  const encode = (value: unknown): string | Uint8Array => encodeValue(codec, value);
  return (data, channel, request) => {
    let value: unknown;
    try {
      value = decodeMessage(codec, data);
    } catch (cause) {
      throw new UndecodedRequest("the codec", { cause });
    }
    const result: unknown = answer(value as Message, channel, request);
    // Its own `then` is not called here: see `guardHandler`.
    return isThenable(result) ? Promise.resolve(result).then(encode) : encode(result);
  };
}
