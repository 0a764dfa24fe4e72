// What the backplanes over a broker let their users choose: one meaning and one default for both.

import { guard } from "../base/guard.ts";
import { badValue, checkFunction, type ValueCheck } from "../base/option-values.ts";
import { printError } from "../base/print-error.ts";

export interface BrokerOptions {
  /** How long the server may take for an answer, in milliseconds; on Redis the connection is given up then. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Bytes that may wait for the server's answer; what is published beyond them is refused. @default 16 MiB */
  readonly maxPendingBytes?: number | undefined;
  /** A process that was not heard of for so many milliseconds is dead, and its members are gone. @default 30_000 */
  readonly aliveMs?: number | undefined;
  /** Told of lost connections, once each, and of entries in a stream that are not ours. @default console.error */
  readonly onError?: ((error: unknown) => unknown) | undefined;
}

export interface BrokerSettings {
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  readonly aliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** The longest time that a timer of Node can wait, less what is added to it. */
const MAX_TIME_MS = 2_000_000_000;

/** The checks of `BrokerOptions`. */
export const BROKER_OPTIONS: Readonly<Record<keyof BrokerOptions, ValueCheck>> = {
  timeoutMs: checkPositive(MAX_TIME_MS),
  maxPendingBytes: checkPositive(Number.POSITIVE_INFINITY),
  aliveMs: checkPositive(MAX_TIME_MS),
  onError: checkFunction,
};

/** The options with their defaults. `entry` is the module's name, for what is printed. */
export function toBrokerSettings(options: BrokerOptions, entry: string): BrokerSettings {
  const { timeoutMs = 5000, maxPendingBytes = 16 * 1024 * 1024, aliveMs = 30_000, onError } = options;
  const print = (error: unknown): void => printError(`${entry}:`, error);
  return {
    timeoutMs,
    maxPendingBytes,
    aliveMs,
    onError(error) {
      if (onError === undefined) print(error);
      else void guard(() => onError(error), print);
    },
  };
}

function checkPositive(most: number): ValueCheck {
  return (name, value) => {
    if (typeof value === "number" && value > 0 && value <= most) return;
    const limit = most === Number.POSITIVE_INFINITY ? "" : `, at most ${most}`;
    throw badValue(name, value, `a positive number${limit}`);
  };
}
