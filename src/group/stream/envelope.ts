// The format of a group's message in a backplane:
//
//     version (1)  kind and flags (1)  origin (8)  number (4, big-endian)
//     [event: length (2) UTF-8]  [type: length (2) UTF-8]  [key: length (2) "=" or "-" UTF-8]  data
//
// The data of a control is JSON. A message that was published to several groups has the same bytes in each of them.
//
// Other programs may write to the broker, too. Bytes that do not have exactly this form are reported as BAD_DATA and skipped.

import { concat, utf8, utf8Bytes } from "../../base/bytes.ts";
import { isFieldValue } from "../../codec/http1-syntax.ts";
import { Utf8Validator } from "../../codec/utf8.ts";
import { type Control, decodeControl, encodeControl, isControl } from "../control.ts";
import { type GroupMessage, groupMessage, isEventType, isJsonText, unusualType } from "../message.ts";
import type { StreamPart } from "./source.ts";

export interface Envelope {
  /** Id of the store that published it: ORIGIN_BYTES random bytes, as hex digits. */
  readonly origin: string;
  /** Number of the message among those of its store, modulo 2^32. */
  readonly number: number;
  readonly message: GroupMessage | Control;
  /** True if the message was published to several groups at once. */
  readonly isShared: boolean;
  /** Whether a message of a published stream is its end. Undefined for all other messages. */
  readonly place?: StreamPart["place"] | undefined;
}

export const ORIGIN_BYTES = 8;

const VERSION = 1;
const KINDS = ["text", "bytes", "json"] as const;
const CONTROL_KIND = KINDS.length;
const KIND_MASK = 0x03;
const IS_PART = 0x04;
const IS_END = 0x08;
const HAS_EVENT = 0x10;
const HAS_TYPE = 0x20;
const IS_SHARED = 0x40;
/** `=`: the message is the value of a key. `-`: it removes the key. */
const HAS_KEY = 0x80;
const HEAD_BYTES = 2 + ORIGIN_BYTES + 4;

export function encodeEnvelope({ origin, number, message, isShared, place }: Envelope): Uint8Array {
  if (isControl(message)) return concat([headOf(origin, number, CONTROL_KIND), utf8Bytes(encodeControl(message))]);
  const { kind, body, latest } = message;
  const event = message.event?.event;
  const contentType = unusualType(message);
  const head = headOf(
    origin,
    number,
    KINDS.indexOf(kind) |
      (event === undefined ? 0 : HAS_EVENT) |
      (contentType === undefined ? 0 : HAS_TYPE) |
      (latest === undefined ? 0 : HAS_KEY) |
      (isShared ? IS_SHARED : 0) |
      (place === "part" ? IS_PART : 0) |
      (place === "end" ? IS_END : 0),
  );
  const parts: Uint8Array[] = [head];
  const key = latest === undefined ? undefined : `${latest.isRemoved ? "-" : "="}${latest.key}`;
  for (const text of [event, contentType, key]) if (text !== undefined) parts.push(...withLength(utf8Bytes(text)));
  parts.push(typeof body === "string" ? utf8Bytes(body) : body);
  return concat(parts);
}

function headOf(origin: string, number: number, flags: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head[0] = VERSION;
  head[1] = flags;
  for (let i = 0; i < ORIGIN_BYTES; i++) head[2 + i] = Number.parseInt(origin.slice(2 * i, 2 * i + 2), 16);
  for (let i = 0; i < 4; i++) head[2 + ORIGIN_BYTES + i] = number >>> (24 - 8 * i);
  return head;
}

/** Returns undefined for bytes that are malformed, of an unknown version, or could not be sent to a member. */
export function decodeEnvelope(bytes: Uint8Array): Envelope | undefined {
  if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION) return undefined;
  const flags = bytes[1]!;
  const isShared = (flags & IS_SHARED) !== 0;
  const kind = KINDS[flags & KIND_MASK];
  if (kind === undefined && flags !== CONTROL_KIND) return undefined;
  if ((flags & IS_PART) !== 0 && (flags & IS_END) !== 0) return undefined;
  let origin = "";
  for (let i = 2; i < 2 + ORIGIN_BYTES; i++) origin += bytes[i]!.toString(16).padStart(2, "0");
  let number = 0;
  for (let i = 2 + ORIGIN_BYTES; i < HEAD_BYTES; i++) number = number * 256 + bytes[i]!;

  if (kind === undefined) {
    const text = validText(bytes.subarray(HEAD_BYTES));
    const control = text === undefined ? undefined : decodeControl(text);
    return control === undefined ? undefined : { origin, number, message: control, isShared };
  }
  let at = HEAD_BYTES;
  const texts: (string | undefined)[] = [];
  for (const flag of [HAS_EVENT, HAS_TYPE, HAS_KEY]) {
    if ((flags & flag) === 0) {
      texts.push(undefined);
      continue;
    }
    if (bytes.length < at + 2) return undefined;
    const end = at + 2 + bytes[at]! * 256 + bytes[at + 1]!;
    if (bytes.length < end) return undefined;
    const text = validText(bytes.subarray(at + 2, end));
    if (text === undefined) return undefined;
    texts.push(text);
    at = end;
  }
  const [event, contentType, key] = texts;
  // A type that an event stream or a response head would refuse must not fail with each member.
  if (event !== undefined && !isEventType(event)) return undefined;
  if (contentType !== undefined && !isFieldValue(contentType)) return undefined;
  if (key !== undefined && !/^[=-]/.test(key)) return undefined;

  const rest = bytes.subarray(at);
  // A copy: the backplane may reuse its bytes, or have cut them out of a much larger buffer.
  const body = kind === "bytes" ? new Uint8Array(rest) : validText(rest);
  if (body === undefined || (kind === "json" && !isJsonText(body as string))) return undefined;
  const place = (flags & IS_END) !== 0 ? "end" : (flags & IS_PART) !== 0 ? "part" : undefined;
  const plain = groupMessage(kind, body, { event, contentType });
  const message =
    key === undefined ? plain : { ...plain, latest: { key: key.slice(1), isRemoved: key.startsWith("-") } };
  const envelope = { origin, number, message, isShared };
  return place === undefined ? envelope : { ...envelope, place };
}

function withLength(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  return [Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes];
}

function validText(bytes: Uint8Array): string | undefined {
  const validator = new Utf8Validator();
  return validator.push(bytes, 0, bytes.length) && validator.isComplete ? utf8(bytes) : undefined;
}
