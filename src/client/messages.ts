// Converts the values of an application to messages, and back.

import { show } from "../base/bad-option.ts";
import { ChannelError } from "../base/channel-error.ts";
import { callSync } from "../base/guard.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { Message } from "./connection.ts";

export type AnyCodec = MessageCodec<unknown, unknown>;

/** Throws BAD_DATA, and any exception of the codec. */
export function toMessage(codec: AnyCodec | undefined, value: unknown): Message {
  const data = codec ? callSync("codec.encode", () => codec.encode(value)) : value;
  if (typeof data === "string") return data;
  let cause: unknown;
  try {
    const { buffer = data, byteOffset, byteLength } = data as Partial<ArrayBufferView>;
    // Not `instanceof`: a buffer may come from another frame. Shared memory has another tag.
    if ({}.toString.call(buffer) === "[object ArrayBuffer]") {
      // Copied, so that it cannot be changed or transferred before it has arrived.
      return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice();
    }
  } catch (error) {
    cause = error;
  }
  throw new ChannelError("BAD_DATA", `${show(data)}; send text, an ArrayBuffer or a view of one`, { cause });
}

export function fromMessage(codec: AnyCodec | undefined, message: Message): unknown {
  return codec ? callSync("codec.decode", () => codec.decode(message)) : message;
}
