// The checks of a channel's options: a wrong name or value is refused where it is given. An object that many channels
// share is checked once.

import { checkOptionNames } from "../base/option-names.ts";
import type { ChannelOptions } from "./accept.ts";
import { checkAmount, checkOverflow } from "./session-options.ts";

/** The names of `ChannelOptions`. */
export const CHANNEL_OPTIONS: readonly (keyof ChannelOptions)[] = [
  "protocols",
  "headers",
  "sse",
  "maxBufferedBytes",
  "onOverflow",
  "maxMessageBytes",
  "pingIntervalMs",
  "pongTimeoutMs",
  "compress",
  "codec",
];

const NUMBERS = ["maxBufferedBytes", "maxMessageBytes", "pingIntervalMs", "pongTimeoutMs"] as const;

const checked = new WeakSet<object>();

/** Throws BAD_OPTION. */
export function checkChannelOptions(owner: string, options: ChannelOptions<unknown, unknown>): void {
  if (checked.has(options)) return;
  checkOptionNames(owner, options, CHANNEL_OPTIONS);
  for (const name of NUMBERS) checkAmount(name, options[name]);
  checkOverflow(options.onOverflow);
  checked.add(options);
}
