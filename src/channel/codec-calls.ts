// Calls of a codec: an application may have written it, so its results are checked.

import { show } from "../base/bad-option.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync } from "../base/guard.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { Message } from "./channel.ts";

/** Returns text or bytes. Throws BAD_DATA if the codec returns anything else, and what the codec throws. */
export function encodeValue(codec: Pick<MessageCodec<unknown, never>, "encode">, value: unknown): Message {
  const message: unknown = callSync("codec.encode", () => codec.encode(value as never));
  if (typeof message === "string" || ArrayBuffer.isView(message) || message instanceof ArrayBuffer) {
    return message as Message;
  }
  throw new ChannelError("BAD_DATA", `codec.encode returned ${show(message)}; it must return text or a Uint8Array`);
}

/** Throws what the codec throws. The codec gets text or a `Uint8Array`, and no Buffer, whose `slice` and `toString` differ. */
export function decodeMessage(codec: MessageCodec<unknown, never>, message: Message): unknown {
  const plain = typeof message === "string" || message.constructor === Uint8Array ? message : withoutSubclass(message);
  return callSync("codec.decode", () => codec.decode(plain));
}

function withoutSubclass({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
