// The checks of a channel's options: a wrong name or value is refused where it is given. An object that many channels
// share is checked once.

import { ChannelError } from "../base/errors.ts";
import { checkOptionNames, unknownName } from "../base/option-names.ts";
import { toCompressSettings } from "../transport/deflate.ts";
import type { ChannelOptions } from "./accept.ts";
import type { SessionHandlers } from "./channel.ts";
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

/** The names of `SessionHandlers`. Those of a plain channel are among them; the rest never happens to one. */
export const HANDLERS: readonly (keyof SessionHandlers)[] = [
  "open",
  "receive",
  "ping",
  "pong",
  "drain",
  "close",
  "error",
  "resumed",
  "transport",
];

const NUMBERS = ["maxBufferedBytes", "maxMessageBytes", "pingIntervalMs", "pongTimeoutMs"] as const;

const checked = new WeakSet<object>();

/** Throws BAD_OPTION. */
export function checkChannelOptions(owner: string, options: ChannelOptions<unknown, unknown>): void {
  if (checked.has(options)) return;
  checkOptionNames(owner, options, CHANNEL_OPTIONS);
  for (const name of NUMBERS) checkAmount(name, options[name]);
  checkOverflow(options.onOverflow);
  const { compress } = options;
  if (compress !== undefined && compress !== false) toCompressSettings(compress, true);
  checked.add(options);
}

const KNOWN_HANDLERS: ReadonlySet<string> = new Set(HANDLERS);

/**
 * Throws BAD_OPTION for handlers that are no object, that are no functions, or whose names are unknown. An object of a class may
 * have what it likes: it is not looked at. Takes some 0.1 µs for each channel.
 */
export function checkHandlers(owner: string, handlers: SessionHandlers): void {
  if (typeof handlers !== "object" || handlers === null) {
    throw new ChannelError("BAD_OPTION", `the handlers of ${owner} must be an object, not ${String(handlers)}`);
  }
  if (Object.getPrototypeOf(handlers) !== Object.prototype) return;
  for (const name in handlers) {
    if (!KNOWN_HANDLERS.has(name)) {
      throw new ChannelError("BAD_OPTION", unknownName(`${owner} has no handler`, name, HANDLERS));
    }
    const handler = handlers[name as keyof SessionHandlers];
    if (typeof handler !== "function" && handler !== undefined) {
      throw new ChannelError("BAD_OPTION", `the handler ${name} of ${owner} is ${String(handler)}, not a function`);
    }
  }
}
