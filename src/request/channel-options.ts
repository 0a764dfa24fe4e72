// The options and handlers of a channel, and their checks: a wrong name or value throws where it is given. An object that many
// channels share is checked once.

import { unknownName } from "../base/option-names.ts";
import {
  badOption,
  badValue,
  checkAmount,
  checkBoolean,
  checkList,
  checkMethods,
  checkOneOf,
  checkOptions,
  isPlain,
  type OptionTable,
  show,
  type ValueCheck,
} from "../base/option-values.ts";
import { copyHandlers } from "../channel/callbacks.ts";
import { HANDLER_NAMES, type Message, type SessionHandlers } from "../channel/channel.ts";
import type { OverflowPolicy } from "../channel/context.ts";
import { checkExpiry } from "../channel/expiry.ts";
import { type HeadersInput, hasNoText } from "../channel/headers.ts";
import type { RatePolicy } from "../channel/rate-limits.ts";
import type { SendData } from "../channel/send-data.ts";
import { isFieldValue, isToken } from "../codec/http1-syntax.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import { type CompressOptions, checkCompress } from "../transport/compression/deflate.ts";

/** Chooses a sub-protocol; must return synchronously. */
export type ChooseProtocol = (offered: readonly string[]) => string | undefined;

/**
 * The options of `withChannel` and `openChannel`. `In` and `Out` are the types that the codec receives and sends,
 * `Attachment` is the type of the channel's `attachment`.
 */
export interface ChannelOptions<In = Message, Out = SendData, Attachment = unknown> {
  /**
   * WebSocket sub-protocols in order of preference, or a function that chooses one of those offered.
   * @default none: an offer is ignored
   */
  readonly protocols?: readonly string[] | ChooseProtocol | undefined;
  /** Headers of the 101, or of the first response. */
  readonly headers?: HeadersInput | undefined;
  /** False: a request that accepts `text/event-stream` gets a plain HTTP channel, too. @default true */
  readonly sse?: boolean | undefined;
  /** Unsent bytes at which `onOverflow` applies. @default the server's `maxBufferedBytes`, 1 MiB */
  readonly maxBufferedBytes?: number | undefined;
  /** The policy for a send on a full channel: `"close"` ends it (1013), `"drop"` makes `send` return false. @default "close" */
  readonly onOverflow?: OverflowPolicy | undefined;
  /** Longest WebSocket message in bytes; a longer one closes with 1009. @default the server's, 4 MiB */
  readonly maxMessageBytes?: number | undefined;
  /** Messages of the client in a second, at which `onRateExceeded` applies. @default the server's, Infinity */
  readonly maxMessagesPerSecond?: number | undefined;
  /** Bytes of the client's messages in a second, each at least 64, at which `onRateExceeded` applies. @default the server's, Infinity */
  readonly maxBytesPerSecond?: number | undefined;
  /** How much may come at once: what the rates give in this time, in milliseconds. @default the server's, 1000 */
  readonly rateBurstMs?: number | undefined;
  /**
   * The policy for a message that comes faster than it may. `"close"` ends the channel (1008), `"drop"` drops the message and tells
   * the handler `dropped`, `"wait"` hands it over later and makes the client wait. @default the server's, "close"
   */
  readonly onRateExceeded?: RatePolicy | undefined;
  /** Silence after which a WebSocket is pinged, and an event stream gets a comment; 0: never. @default the server's, 25 s */
  readonly pingIntervalMs?: number | undefined;
  /** Silence after a ping that means the client is lost (1006). @default the server's, 20 s */
  readonly pongTimeoutMs?: number | undefined;
  /**
   * Compresses WebSocket messages with permessage-deflate and responses with gzip, if the client accepts that.
   * @default false
   */
  readonly compress?: boolean | CompressOptions | undefined;
  /**
   * Converts messages to values of the application: see `jsonMessages`. A value that it refuses is not sent (`send` throws
   * BAD_MESSAGE), a message that it refuses is reported and skipped; the channel stays open. @default none: text and bytes
   */
  readonly codec?: MessageCodec<In, Out> | undefined;
  /** The channel's `attachment` from the start. @default what the server's `upgrade` check returned, or undefined */
  readonly attachment?: Attachment | undefined;
  /**
   * The date at which the client's identity ends, as a Date or in milliseconds since the Unix epoch: the channel is closed then, with
   * 4401. A request whose date has passed is refused with 401 (IDENTITY_EXPIRED). @default never
   */
  readonly expiresAt?: number | Date | undefined;
}

const checkProtocolList = checkList("sub-protocols, which are tokens of HTTP", isToken);

/** A `MessageCodec`. */
export const checkCodec: ValueCheck = (name, value) => {
  checkMethods("a codec, with encode and decode: see jsonMessages", ["encode", "decode"])(name, value);
  const { contentType } = value as { readonly contentType?: unknown };
  if (contentType === undefined || (typeof contentType === "string" && isFieldValue(contentType))) return;
  throw badValue(`${name}.contentType`, contentType, "a string, as a Content-Type has it");
};

/** An option that may have any value. */
export function checkAnything(): void {}

export const checkOverflow: ValueCheck = checkOneOf("close", "drop");
export const checkRatePolicy: ValueCheck = checkOneOf("close", "drop", "wait");

/** Throws BAD_OPTION for a value that is not a `HeadersInput`. Characters that HTTP forbids are BAD_HEADER, thrown later. */
export function checkHeadersOption(name: string, value: unknown): void {
  const allowed = "an object, a Fetch Headers, or a list of [name, value]";
  // A promise has no properties, so no header would be sent.
  if (typeof value !== "object" || value === null || typeof (value as { then?: unknown }).then === "function") {
    throw badValue(name, value, allowed);
  }
  // Other iterables may be readable only once, so they are not checked here.
  if (!Array.isArray(value) && Symbol.iterator in value) return;
  const pairs: unknown[] = Array.isArray(value) ? value : Object.entries(value);
  for (const [index, pair] of pairs.entries()) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw badValue(`${name}[${index}]`, pair, "a list of a name and a value");
    }
    if (hasNoText(pair[1])) throw badValue(`${name}: the value of ${show(pair[0])}`, pair[1], "a string");
  }
}

/** The checks of `ChannelOptions`. */
export const CHANNEL_OPTIONS: Readonly<Record<keyof ChannelOptions, ValueCheck>> = {
  protocols(name, value) {
    if (typeof value !== "function") checkProtocolList(name, value);
  },
  headers: checkHeadersOption,
  sse: checkBoolean,
  maxBufferedBytes: checkAmount,
  onOverflow: checkOverflow,
  maxMessageBytes: checkAmount,
  maxMessagesPerSecond: checkAmount,
  maxBytesPerSecond: checkAmount,
  rateBurstMs: checkAmount,
  onRateExceeded: checkRatePolicy,
  pingIntervalMs: checkAmount,
  pongTimeoutMs: checkAmount,
  compress: checkCompress,
  codec: checkCodec,
  attachment: checkAnything,
  expiresAt: checkExpiry,
};

/** Objects that have passed the checks of a table. */
const checked = new WeakMap<OptionTable, WeakSet<object>>();

/** Throws BAD_OPTION. */
export function checkChannelOptions(owner: string, options: ChannelOptions<unknown, never>): void {
  checkOnce(owner, options, CHANNEL_OPTIONS);
}

/** `checkOptions` for an object that is given for many requests. */
export function checkOnce(owner: string, options: object, table: OptionTable): void {
  let known = checked.get(table);
  if (known === undefined) checked.set(table, (known = new WeakSet()));
  if (known.has(options)) return;
  checkOptions(owner, options, table);
  known.add(options);
}

/** Throws BAD_OPTION for a second argument of `withChannel` that cannot be called. */
export function checkSetup(setup: unknown): void {
  if (typeof setup !== "function") throw badValue("the second argument of withChannel", setup, "a function");
}

const KNOWN_HANDLERS: ReadonlySet<string> = new Set(HANDLER_NAMES);

/** Copies of handlers that were given with `receive`: they have it under the name `message`. */
const renamed = new WeakMap<object, SessionHandlers>();

/**
 * Returns the handlers with `receive` under the name `message`. Throws BAD_OPTION unless the value is an object, for a
 * handler that is not a function, and for an unknown name. The names in an instance of a class are not checked.
 * Takes some 0.1 µs for each channel.
 */
export function toHandlers(owner: string, handlers: SessionHandlers): SessionHandlers {
  checkHandlers(owner, handlers);
  return handlers.receive === undefined ? handlers : withMessage(owner, handlers);
}

function checkHandlers(owner: string, handlers: SessionHandlers): void {
  if (typeof handlers !== "object" || handlers === null || Array.isArray(handlers)) {
    throw badValue(`the second argument of ${owner}`, handlers, "an object of handlers");
  }
  if (!isPlain(handlers)) return;
  for (const name in handlers) {
    if (!KNOWN_HANDLERS.has(name)) throw badOption(unknownName(`${owner} has no handler`, name, HANDLER_NAMES));
    const handler = handlers[name as keyof SessionHandlers];
    if (handler !== undefined && typeof handler !== "function") {
      throw badOption(`the handler ${name} of ${owner} is ${show(handler)}, not a function`);
    }
  }
}

function withMessage(owner: string, handlers: SessionHandlers): SessionHandlers {
  if (handlers.message !== undefined) {
    throw badOption(`${owner} has the handlers message and receive, which are the same; give message alone`);
  }
  let own = renamed.get(handlers);
  if (own === undefined) {
    // Not a spread: V8 gives each object that it makes another shape, and an echo then takes 1 % more instructions.
    own = copyHandlers(handlers);
    own.message = own.receive;
    own.receive = undefined;
    renamed.set(handlers, own);
  }
  return own;
}
