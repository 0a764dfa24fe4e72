// The checks of a session's options. A wrong one is refused where it is given: sent to the client it would end every
// connection that the client makes, and nobody would know why.

import { MAX_TIMER_MS } from "../base/clock.ts";
import { checkAmount, checkInteger, checkString, type ValueCheck } from "../base/option-values.ts";
import { checkCodec, checkHeadersOption, checkOnce, checkOverflow } from "../request/channel-options.ts";
import { checkCompress } from "../transport/compression/deflate.ts";
import type { AnySessionOptions } from "./open-session.ts";

const checkParkMs = checkInteger(1, Number.MAX_SAFE_INTEGER);

/** `SessionOptions`. */
export const SESSION_OPTIONS: Readonly<Record<keyof AnySessionOptions, ValueCheck>> = {
  identity: checkString,
  // Both are told to the client, in JSON, as whole numbers.
  resumeMs: checkInteger(0, Number.MAX_SAFE_INTEGER),
  heartbeatMs: checkInteger(1, MAX_TIMER_MS),
  parkMs(name, value) {
    if (value !== Number.POSITIVE_INFINITY) checkParkMs(name, value);
  },
  headers: checkHeadersOption,
  maxBufferedBytes: checkAmount,
  onOverflow: checkOverflow,
  maxMessageBytes: checkAmount,
  compress: checkCompress,
  codec: checkCodec,
};

/** Throws BAD_OPTION. */
export function checkSessionOptions(options: AnySessionOptions): void {
  checkOnce("openSession", options, SESSION_OPTIONS);
}
