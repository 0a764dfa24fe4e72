// Converts the data that an application sends into one shape: an OutboundMessage, or a stream of parts with its head.

import { NO_BYTES } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { isRefusedPromise } from "../base/guard.ts";
import { unknownName } from "../base/option-names.ts";
import { badValue, checkBoolean, checkOptions, isPlain, show, type ValueCheck } from "../base/option-values.ts";
import { fieldValue } from "../codec/field-values.ts";
import { statusHasBody } from "../codec/http1-response.ts";
import { EncodedMessage } from "../protocol/encoded-message.ts";
import type { EventMeta, OutboundMessage } from "../protocol/outbound-message.ts";
import type { Position } from "../transport/transport.ts";
import { bytesOf, isIterable, promiseGiven, type SendBody, type StreamBody, unsendable } from "./body.ts";
import { checkFields, type HeadersInput, NO_FIELDS, toFields } from "./headers.ts";
import { PreparedMessage } from "./prepared-message.ts";
import { discardBody, discardSource } from "./source.ts";

/**
 * A message with its HTTP head. `status` (200–599, default 200) and `headers` count for the first send of an HTTP
 * channel; WebSockets and later sends use the body alone.
 */
export interface SendInit {
  /** The HTTP status, 200 to 599. @default 200 */
  readonly status?: number | undefined;
  /** Header fields of the response. @default none */
  readonly headers?: HeadersInput | undefined;
  /** The message. @default null: a response without a body, and no message elsewhere */
  readonly body?: SendBody | undefined;
  /** The fields of a Server-Sent Event beside its data; other transports ignore them. */
  readonly event?: EventMeta | undefined;
}

/** A message that a channel without a codec can send: a body alone, a body with its head, or the result of `prepare`. */
export type SendData = SendBody | SendInit | PreparedMessage;

/** The options of `channel.send`. */
export interface SendOptions {
  /**
   * True: the channel closes after this message.
   * @default true on plain HTTP, where the message is the whole response; false on WebSockets, event streams and sessions
   */
  readonly close?: boolean | undefined;
}

const SEND_OPTIONS: Readonly<Record<keyof SendOptions, ValueCheck>> = { close: checkBoolean };

/**
 * Returns the position that the option `close` gives to a message; undefined if the option is missing. A boolean is this
 * option, too. Throws BAD_OPTION; a stream in `data` is cancelled then.
 */
export function positionOf(options: SendOptions | boolean, data: unknown): Position | undefined {
  if (typeof options === "boolean") return options ? "last" : "more";
  try {
    if (!isPlain(options))
      throw badValue("the second argument of send", options, "{ close: true } or { close: false }");
    checkOptions("send", options, SEND_OPTIONS);
  } catch (error) {
    discardBody(data);
    throw error;
  }
  if (options.close === undefined) return undefined;
  return options.close ? "last" : "more";
}

/** A message. If its body is a stream, `parts` is that stream, and the message has no body. */
export interface Sendable {
  readonly message: OutboundMessage;
  readonly parts: StreamBody | undefined;
}

/** A value as JSON: a text message, or a response with `Content-Type: application/json; charset=utf-8`. */
export function json(value: unknown, init: Omit<SendInit, "body"> = {}): SendInit {
  const body = toJson(value);
  if (body === undefined)
    throw new ChannelError(
      "BAD_DATA",
      "JSON.stringify returns undefined for it: send a value other than undefined, a function or a symbol",
    );
  const fields = init.headers === undefined ? NO_FIELDS : toFields(init.headers);
  const headers = [...pairs(fields)];
  if (statusHasBody(init.status ?? 200) && fieldValue(fields, "content-type") === undefined) {
    headers.unshift(["Content-Type", "application/json; charset=utf-8"]);
  }
  return { ...init, headers, body };
}

/**
 * `JSON.stringify`, which throws for a BigInt, a circle, and whatever a `toJSON` throws: BAD_DATA. So is a promise, of which
 * `{}` would be sent.
 */
export function toJson(value: unknown, replace?: (key: string, value: unknown) => unknown): string | undefined {
  if (typeof value === "object" && isRefusedPromise(value)) throw promiseGiven();
  try {
    return JSON.stringify(value, replace);
  } catch (cause) {
    throw new ChannelError("BAD_DATA", `JSON.stringify: ${cause instanceof Error ? cause.message : show(cause)}`, {
      cause,
    });
  }
}

/**
 * The value as JSON keeps it; undefined for undefined. Throws BAD_DATA for one that JSON cannot express, and for one that it would
 * change without a word: a function, a symbol, a Map, and any other object of a class without `toJSON`.
 */
export function toJsonValue(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(toJson(value, refuseUnlike)!);
}

function refuseUnlike(key: string, value: unknown): unknown {
  if (typeof value !== "function" && typeof value !== "symbol" && !isOfClass(value)) return value;
  throw new TypeError(`JSON has nothing like ${show(value)}${key === "" ? "" : `, the value of ${key}`}`);
}

/** True for an object that is neither plain, of any realm, nor an array. */
function isOfClass(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype !== null && Object.getPrototypeOf(prototype) !== null;
}

const EVENT_FIELDS = ["data", "event", "id", "retry"];

/**
 * A Server-Sent Event: WHATWG HTML §9.2.6. `retry` is in milliseconds. A channel that is not an event stream sends `data`
 * alone. Throws BAD_DATA for an unknown field, and on send for an `event` or `id` with a line break.
 */
export function event(fields: EventMeta & { readonly data?: string }): SendInit {
  if (typeof fields !== "object" || fields === null)
    throw new ChannelError("BAD_DATA", `the fields of an event are ${show(fields)}; give { data, event, id, retry }`);
  for (const name in fields) {
    if (!EVENT_FIELDS.includes(name)) {
      throw new ChannelError("BAD_DATA", unknownName("an event has no field", name, EVENT_FIELDS));
    }
  }
  const { data, ...meta } = fields;
  return { body: data ?? null, event: meta };
}

/**
 * Makes a message that can be sent many times: its bytes for each kind of transport are made once, by the first send that
 * needs them, and shared by all. One compressed frame serves a whole group (not where context is taken over). Do not change
 * bytes while it is used. Throws like `send`, and BAD_DATA for a stream or a Blob, which can be sent only once.
 */
export function prepare(data: SendData): PreparedMessage {
  const sendable = toSendable(data);
  if (sendable instanceof PreparedMessage) return sendable;
  if (sendable.parts !== undefined) {
    discardSource(sendable.parts);
    throw new ChannelError("BAD_DATA", "a stream or Blob cannot be prepared: it can be read only once; read it first");
  }
  checkFields(sendable.message.fields);
  return new PreparedMessage(new EncodedMessage(sendable.message));
}

/** Converts data. Throws BAD_DATA, BAD_STATUS or BAD_HEADER for data that cannot be sent, and cancels a stream in it. */
export function toSendable(data: SendData): Sendable {
  try {
    return convert(data);
  } catch (error) {
    discardBody(data);
    throw error;
  }
}

function convert(data: SendData): Sendable {
  if (typeof data === "string" || data === null) return whole(data);
  // An empty view may be one of a buffer that was transferred.
  if (data instanceof Uint8Array) return whole(data.length === 0 ? bytesOf(data) : data);
  if (typeof data !== "object") throw unsendable(data);
  if (data instanceof PreparedMessage) return data;
  if (!isInit(data)) return fromBody(data, undefined, NO_FIELDS, undefined);
  const { status, headers } = data;
  if (status !== undefined && (!Number.isInteger(status) || status < 200 || status > 599)) {
    // RFC 9110 §15.2: a 1xx is interim; the client would go on waiting for the answer.
    throw new ChannelError("BAD_STATUS", show(status));
  }
  return fromBody(data.body ?? null, status, headers === undefined ? NO_FIELDS : toFields(headers), data.event);
}

function whole(
  body: string | Uint8Array | null,
  status?: number,
  fields: readonly string[] = NO_FIELDS,
  event?: EventMeta,
): Sendable {
  return { message: { status, fields, body, event, length: undefined }, parts: undefined };
}

function fromBody(
  body: Exclude<SendBody, undefined>,
  status: number | undefined,
  fields: readonly string[],
  event: EventMeta | undefined,
): Sendable {
  if (body === null || typeof body === "string") return whole(body, status, fields, event);
  if (typeof body !== "object") throw unsendable(body);
  if (body instanceof Uint8Array && body.length > 0) return whole(body, status, fields, event);
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return whole(bytesOf(body), status, fields, event);
  const length = body instanceof Blob ? body.size : declaredLength(fields);
  if (body instanceof Blob) {
    if (body.size === 0) return whole(NO_BYTES, status, fields, event);
    if (body.type !== "" && fieldValue(fields, "content-type") === undefined)
      fields = [...fields, "Content-Type", body.type];
  } else if (!isIterable(body)) throw unsendable(body);
  return { message: { status, fields, body: null, event, length }, parts: body };
}

/** The `Content-Length` that the application gave for a stream. The stream is checked against it. */
function declaredLength(fields: readonly string[]): number | undefined {
  for (const [name, value] of pairs(fields)) {
    if (name.toLowerCase() === "content-length" && /^\d{1,15}$/.test(value)) return Number(value);
  }
  return undefined;
}

function isInit(data: object): data is SendInit {
  // Literals are checked first: nearly all data are literals, and for these the platform's Blob is not loaded.
  if (isLiteral(data)) {
    // An iterable that was written as a literal.
    if (isIterable(data)) return false;
    if (hasOnlyInitKeys(data)) return true;
    if (Object.getPrototypeOf(data) === Object.prototype) throw unsendable(data);
  }
  if (data instanceof Blob || data instanceof ArrayBuffer || ArrayBuffer.isView(data) || isIterable(data)) return false;
  // A Fetch Response, or an object of a class that has the same parts.
  if ("body" in data) {
    checkUnread(data);
    return true;
  }
  throw unsendable(data);
}

/**
 * True for an object literal, and for an object whose class is a function with a literal as its prototype: that has no constructor of
 * its own. Only the prototype tells the two apart. It is asked where it matters: V8 calls `getPrototypeOf` in C++, which takes as long as
 * the rest of the check.
 */
export function isLiteral(value: object): boolean {
  return value.constructor === Object || Object.getPrototypeOf(value) === Object.prototype;
}

/** Throws BAD_DATA for a Fetch Response whose body was read: what is left of it, or nothing, would be sent as all of it. */
export function checkUnread(response: object): void {
  if ((response as { readonly bodyUsed?: unknown }).bodyUsed !== true) return;
  throw new ChannelError("BAD_DATA", "the body of the response was read already; send a clone() made before");
}

/** True for a literal that is certainly a message with its head: it has a body and only keys of `SendInit`. */
export function isSendInit(value: unknown): value is SendInit {
  if (typeof value !== "object" || value === null || !("body" in value)) return false;
  return Object.getPrototypeOf(value) === Object.prototype && hasOnlyInitKeys(value);
}

function hasOnlyInitKeys(data: object): boolean {
  for (const key in data) if (!isInitKey(key)) return false;
  return true;
}

function isInitKey(key: string): boolean {
  return key === "body" || key === "status" || key === "headers" || key === "event";
}

function* pairs(fields: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < fields.length; i += 2) yield [fields[i]!, fields[i + 1]!];
}
