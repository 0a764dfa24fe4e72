// Options that the backplanes over a broker have in common, with one meaning and one default.

import { guard } from "../base/guard.ts";
import { badValue, checkFunction, type ValueCheck } from "../base/option-values.ts";
import { printError } from "../base/print-error.ts";

export interface BrokerOptions {
  /** Time for the server to answer, in milliseconds. Redis: the connection is then given up. @default 5000 */
  readonly timeoutMs?: number | undefined;
  /** Bytes that may wait for the server's answer; a message beyond them is refused. @default 16 MiB */
  readonly maxPendingBytes?: number | undefined;
  /** Silence after which a process counts as dead and its members as gone, in milliseconds. @default 30_000 */
  readonly aliveMs?: number | undefined;
  /** Receives lost connections, once each, and entries in a stream that no backplane wrote. @default console.error */
  readonly onError?: ((error: unknown) => unknown) | undefined;
}

/** Options that the session stores over a broker have in common. */
export interface SessionBrokerOptions extends Omit<BrokerOptions, "aliveMs" | "maxPendingBytes"> {
  /** Bytes of snapshots that may be on their way to the server; further ones wait for their turn. @default 1 MiB */
  readonly maxPendingBytes?: number | undefined;
}

/**
 * Enough for each command to find the next one at the server. More would let an answer wait for its own writing: `timeoutMs` counts
 * from the call of the library.
 */
const SESSION_PENDING_BYTES = 1024 * 1024;

export interface BrokerSettings {
  readonly timeoutMs: number;
  readonly maxPendingBytes: number;
  readonly aliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** Longest delay of a Node timer, less the time that is added to it. */
const MAX_TIME_MS = 2_000_000_000;

/** Checks of `BrokerOptions`. */
export const BROKER_OPTIONS: Readonly<Record<keyof BrokerOptions, ValueCheck>> = {
  timeoutMs: checkPositive(MAX_TIME_MS),
  maxPendingBytes: checkPositive(Number.POSITIVE_INFINITY),
  aliveMs: checkPositive(MAX_TIME_MS),
  onError: checkFunction,
};

const { aliveMs: _, ...sessionOptions } = BROKER_OPTIONS;

/** Checks of `SessionBrokerOptions`. */
export const SESSION_BROKER_OPTIONS: Readonly<Record<keyof SessionBrokerOptions, ValueCheck>> = sessionOptions;

/** Returns the options with their defaults. `entry` is the name of the module, for printed errors. */
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

/** Does the same for a session store. */
export function toSessionStoreSettings(options: SessionBrokerOptions, entry: string): Omit<BrokerSettings, "aliveMs"> {
  const { maxPendingBytes = SESSION_PENDING_BYTES } = options;
  return toBrokerSettings({ ...options, maxPendingBytes }, entry);
}

function checkPositive(most: number): ValueCheck {
  return (name, value) => {
    if (typeof value === "number" && value > 0 && value <= most) return;
    const limit = most === Number.POSITIVE_INFINITY ? "" : `, at most ${most}`;
    throw badValue(name, value, `a positive number${limit}`);
  };
}
