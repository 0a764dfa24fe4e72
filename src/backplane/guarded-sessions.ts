// Calls into a session store. It may be the application's own: it may throw, never settle, or break the interface in another way,
// and none of that may end the process, lose a session or give it to two processes.

import type { Clock } from "../base/clock.ts";
import { Deadline } from "../base/deadline.ts";
import { ChannelError } from "../base/errors.ts";
import { checkMethods, type ValueCheck } from "../base/option-values.ts";
import type { SessionStore, TakeOptions, TakeResult } from "./session-store.ts";
import { unavailable } from "./unavailable.ts";

/** Time after which a call counts as failed, in milliseconds: a session store has a shorter limit of its own. */
const MAX_CALL_MS = 30_000;

/** Checks an option that is a session store. */
export const checkSessionStore: ValueCheck = checkMethods("a session store: see redisSessions", [
  ...["put", "take", "claim", "renew", "forget", "announce", "withdraw", "locate", "secret", "close"],
]);

/** The same session store, whose calls settle in time, with values of the right shape or a ChannelError. */
export class GuardedSessions implements SessionStore {
  readonly #inner: SessionStore;
  readonly #clock: Clock;

  constructor(inner: SessionStore, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
  }

  put(token: string, owner: string, snapshot: Uint8Array, ttlMs: number): Promise<boolean> {
    return this.#call("put", () => this.#inner.put(token, owner, snapshot, ttlMs), isBoolean);
  }

  take(token: string, taker: string, options: TakeOptions): Promise<TakeResult> {
    return this.#call("take", () => this.#inner.take(token, taker, { ...options }), isTakeResult);
  }

  claim(token: string, taker: string, ttlMs: number): Promise<boolean> {
    return this.#call("claim", () => this.#inner.claim(token, taker, ttlMs), isBoolean);
  }

  renew(tokens: readonly string[], owner: string, ttlMs: number): Promise<readonly string[]> {
    const isSomeOfThem = (value: unknown): value is readonly string[] =>
      Array.isArray(value) && value.every((token) => typeof token === "string");
    return this.#call("renew", () => this.#inner.renew([...tokens], owner, ttlMs), isSomeOfThem);
  }

  forget(token: string, owner: string): Promise<void> {
    return this.#call("forget", () => this.#inner.forget(token, owner), isAnything);
  }

  announce(process: string, address: string, ttlMs: number): Promise<void> {
    return this.#call("announce", () => this.#inner.announce(process, address, ttlMs), isAnything);
  }

  withdraw(process: string): Promise<void> {
    return this.#call("withdraw", () => this.#inner.withdraw(process), isAnything);
  }

  locate(process: string): Promise<string | undefined> {
    const isAddress = (value: unknown): value is string | undefined => value === undefined || typeof value === "string";
    return this.#call("locate", () => this.#inner.locate(process), isAddress);
  }

  secret(): Promise<string> {
    const isSecret = (value: unknown): value is string => typeof value === "string" && value !== "";
    return this.#call("secret", () => this.#inner.secret(), isSecret);
  }

  close(): Promise<void> {
    return this.#call("close", () => this.#inner.close(), isAnything);
  }

  #call<T>(method: string, run: () => Promise<T>, isRight: (value: unknown) => value is T): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = `${method} of the session store has not settled in ${MAX_CALL_MS} ms`;
      const deadline = new Deadline(this.#clock, MAX_CALL_MS, () => reject(unavailable(late)));
      // In a function of its own: what it throws rejects as well.
      const call = async (): Promise<unknown> => run();
      call()
        .then((value) => (isRight(value) ? resolve(value) : reject(wrong(method, value))))
        .catch((error: unknown) => reject(error instanceof ChannelError ? error : unavailable(error)))
        .finally(() => deadline.clear());
    });
  }
}

function isAnything(_value: unknown): _value is undefined {
  return true;
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isTakeResult(value: unknown): value is TakeResult {
  const { type, snapshot, owner, isClaimed } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (type === "taken") return snapshot instanceof Uint8Array;
  if (type === "owned") return typeof owner === "string" && typeof isClaimed === "boolean";
  return type === "unknown";
}

function wrong(method: string, value: unknown): ChannelError {
  const text = typeof value === "string" ? JSON.stringify(value) : Object.prototype.toString.call(value);
  return unavailable(`${method} of the session store gave ${text}`);
}
