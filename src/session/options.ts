// The options of a session and their checks. A wrong value is refused at once: sent to the client, it would end every
// connection of the client without a hint at the cause.

import { MAX_TIMER_MS } from "../base/clock.ts";
import { checkAmount, checkInteger, checkOneOf, checkString, type ValueCheck } from "../base/option-values.ts";
import type { Message } from "../channel/channel.ts";
import type { OverflowPolicy } from "../channel/context.ts";
import { checkExpiry } from "../channel/expiry.ts";
import type { HeadersInput } from "../channel/headers.ts";
import type { RatePolicy } from "../channel/rate-limits.ts";
import type { SendData } from "../channel/send-data.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import { MOST_REQUESTS } from "../protocol/asked-requests.ts";
import { checkAnything, checkCodec, checkHeadersOption, checkOnce, checkOverflow } from "../request/channel-options.ts";
import { type CompressOptions, checkCompress } from "../transport/compression/deflate.ts";

const checkParkMs = checkInteger(1, Number.MAX_SAFE_INTEGER);

/**
 * The options of `openSession`. `In` and `Out` are the types that the codec receives and sends, `Attachment` is the type of
 * the channel's `attachment`.
 */
export interface SessionOptions<In = Message, Out = SendData, Attachment = unknown> {
  /**
   * The client's identity, as the handler knows it: only a request with the same identity resumes the session; for any
   * other its token is unknown. @default none
   */
  readonly identity?: string | undefined;
  /**
   * The date at which this identity ends, as a Date or in milliseconds since the Unix epoch. The client is told how long it has left,
   * and asks again in time: that request brings another date. Otherwise the session ends, with 4401. A request whose date has passed
   * is refused with 401 (IDENTITY_EXPIRED). @default that of the request before; of the first, never
   */
  readonly expiresAt?: number | Date | undefined;
  /** How long a session waits for its client to come back, in milliseconds. @default 60_000 */
  readonly resumeMs?: number | undefined;
  /**
   * Silence after which either side sends a heartbeat, in milliseconds; after twice as much the other side drops the
   * connection. Less than 1000 counts as 1000: the server ticks once a second. @default 25_000
   */
  readonly heartbeatMs?: number | undefined;
  /** How long a poll waits for something to send, in milliseconds; at most `heartbeatMs`. @default 25_000 */
  readonly parkMs?: number | undefined;
  /** Headers of the 101, and of every answer to a GET or POST. */
  readonly headers?: HeadersInput | undefined;
  /** Unacknowledged bytes at which `onOverflow` applies. @default the server's, 1 MiB */
  readonly maxBufferedBytes?: number | undefined;
  /** Effect of a send to a full session: `"close"` ends it (4408), `"drop"` answers false. @default "close" */
  readonly onOverflow?: OverflowPolicy | undefined;
  /** Longest message in bytes; a longer one ends a WebSocket's session with 1009, a POST with 413. @default the server's, 4 MiB */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The most requests of the client that may be without a reply; its further ones are refused with TOO_MANY_REQUESTS. An
   * integer from 1 to 1,000,000. @default 100
   */
  readonly maxRequests?: number | undefined;
  /** Messages of the client in a second, on all carriers, at which `onRateExceeded` applies. @default the server's, Infinity */
  readonly maxMessagesPerSecond?: number | undefined;
  /** Bytes of the client's messages in a second, each at least 64, at which `onRateExceeded` applies. @default the server's, Infinity */
  readonly maxBytesPerSecond?: number | undefined;
  /** How much may come at once: what the rates give in this time, in milliseconds. @default the server's, 1000 */
  readonly rateBurstMs?: number | undefined;
  /**
   * The policy for a message that comes faster than it may. `"close"` ends the session (1008), `"wait"` hands it over later and makes
   * the client wait. A session loses no message, so it has no `"drop"`. @default the server's, "close"; for "drop": "wait"
   */
  readonly onRateExceeded?: Exclude<RatePolicy, "drop"> | undefined;
  /** Compresses records, as a channel compresses messages. @default false */
  readonly compress?: boolean | CompressOptions | undefined;
  /** Messages are values of the application, as with a channel: see `jsonMessages`. @default none */
  readonly codec?: MessageCodec<In, Out> | undefined;
  /** The `attachment` of a new session's channel. @default what the server's `upgrade` check returned, or undefined */
  readonly attachment?: Attachment | undefined;
}

export type AnySessionOptions = SessionOptions<unknown, never>;

export const SESSION_OPTIONS: Readonly<Record<keyof AnySessionOptions, ValueCheck>> = {
  identity: checkString,
  // Both are sent to the client in JSON, as whole numbers.
  resumeMs: checkInteger(0, Number.MAX_SAFE_INTEGER),
  heartbeatMs: checkInteger(1, MAX_TIMER_MS),
  parkMs(name, value) {
    if (value !== Number.POSITIVE_INFINITY) checkParkMs(name, value);
  },
  headers: checkHeadersOption,
  maxBufferedBytes: checkAmount,
  onOverflow: checkOverflow,
  maxMessageBytes: checkAmount,
  maxRequests: checkInteger(1, MOST_REQUESTS),
  maxMessagesPerSecond: checkAmount,
  maxBytesPerSecond: checkAmount,
  rateBurstMs: checkAmount,
  onRateExceeded: checkOneOf("close", "wait"),
  compress: checkCompress,
  codec: checkCodec,
  attachment: checkAnything,
  expiresAt: checkExpiry,
};

/** Throws BAD_OPTION. */
export function checkSessionOptions(options: AnySessionOptions): void {
  checkOnce("openSession", options, SESSION_OPTIONS);
}
