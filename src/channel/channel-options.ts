// The checks of a channel's options: a wrong name or value is refused where it is given. An object that many channels
// share is checked once.

import { ChannelError } from "../base/errors.ts";
import { checkOptionNames } from "../base/option-names.ts";
import type { ChannelOptions } from "./accept.ts";

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
  for (const name of NUMBERS) {
    const value: unknown = options[name];
    if (value === undefined || (typeof value === "number" && value >= 0)) continue;
    throw new ChannelError("BAD_OPTION", `${name} is ${String(value)}; it must be a number, 0 or more`);
  }
  const { onOverflow } = options;
  if (onOverflow !== undefined && onOverflow !== "close" && onOverflow !== "drop") {
    throw new ChannelError("BAD_OPTION", `onOverflow is ${JSON.stringify(onOverflow)}; it must be "close" or "drop"`);
  }
  checked.add(options);
}
