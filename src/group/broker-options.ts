// What the backplanes over a broker let their users choose: one meaning and one default for both.

import { ChannelError } from "../base/errors.ts";

export interface BrokerOptions {
  /** How long the server may take for an answer, in milliseconds; on Redis the connection is given up then. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Bytes that may wait for the server's answer; what is published beyond them is refused. @default 16 MiB */
  readonly maxPendingBytes?: number | undefined;
  /** A process that was not heard of for so many milliseconds is dead, and its members are gone. @default 30_000 */
  readonly aliveMs?: number | undefined;
  /** Told of lost connections, once each, and of entries in a stream that are not ours. @default console.error */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface BrokerSettings {
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  readonly aliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** `entry` is the module's name, for what is printed. Throws BAD_OPTION. */
export function toBrokerSettings(options: BrokerOptions, entry: string): BrokerSettings {
  const { timeoutMs = 5000, maxPendingBytes = 16 * 1024 * 1024, aliveMs = 30_000 } = options;
  checkPositive({ timeoutMs, maxPendingBytes, aliveMs });
  const { onError = (error: unknown) => console.error(`${entry}:`, error) } = options;
  return { timeoutMs, maxPendingBytes, aliveMs, onError };
}

/** Throws BAD_OPTION, with the option's name. */
export function checkPositive(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value > 0)) throw new ChannelError("BAD_OPTION", `${name}: a positive number`);
  }
}
