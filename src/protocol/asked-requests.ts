// The requests of one end that have no reply so far, the same for server and client: each waits for its reply, its timeout or
// its signal, whichever comes first. It has no clock: the owner gives timers.

import { badValue } from "../base/bad-option.ts";
import { ChannelError, type ErrorCode } from "../base/channel-error.ts";
import { checkOptionNames } from "../base/option-names.ts";
import { RequestError } from "../base/request-error.ts";
import { decodeFailure, type RequestContent } from "../codec/request-record.ts";

/** The part of an AbortSignal that is used. */
export interface RequestSignal {
  /** True once it has aborted. */
  readonly aborted: boolean;
  /** The reason, with which the promise rejects. */
  readonly reason: unknown;
  /** Calls `fn` when it aborts. */
  addEventListener(type: "abort", fn: () => void): void;
  /** Undoes `addEventListener`. */
  removeEventListener(type: "abort", fn: () => void): void;
}

/** The options of `request`. */
export interface RequestOptions {
  /** Rejects with REPLY_TIMEOUT after this time without a reply, in milliseconds. Infinity: never. @default 30_000 */
  readonly timeoutMs?: number | undefined;
  /** An AbortSignal. When it aborts, the promise rejects with its reason, and the other end's handler is told. */
  readonly signal?: RequestSignal | undefined;
}

export interface AskedOwner {
  /** Calls `fn` later, unless the returned function is called before. */
  after(ms: number, fn: () => void): () => void;
  /** Tells the other end that nobody waits for the reply any more. */
  cancel(id: number): void;
}

/** The most requests of one end that may be without a reply, unless the application gives another number. */
export const MAX_REQUESTS = 100;
/** Most that an application may give. */
export const MOST_REQUESTS = 1_000_000;

const TIMEOUT_MS = 30_000;
/** The longest timer of all platforms. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The codes that the other end may give; an unknown one counts as REQUEST_FAILED. */
const CODES: readonly string[] = ["REQUEST_UNHANDLED", "TOO_MANY_REQUESTS", "BAD_MESSAGE"] satisfies ErrorCode[];

interface Asked {
  readonly resolve: (data: string | Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the timer, and listens to the signal no more. */
  readonly release: () => void;
}

/** Throws BAD_OPTION. */
export function checkRequestOptions(options: RequestOptions): void {
  checkOptionNames("request", options, ["timeoutMs", "signal"]);
  const { timeoutMs = 1, signal } = options;
  const isTime = typeof timeoutMs === "number" && timeoutMs >= 1;
  if (!isTime || (timeoutMs > MAX_TIMEOUT_MS && timeoutMs !== Number.POSITIVE_INFINITY)) {
    throw badValue("timeoutMs", timeoutMs, "a number from 1 to 2^31 - 1, or Infinity");
  }
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw badValue("signal", signal, "an AbortSignal");
  }
}

export class AskedRequests {
  readonly #owner: AskedOwner;
  readonly #waiting = new Map<number, Asked>();

  constructor(owner: AskedOwner) {
    this.#owner = owner;
  }

  /** Number of requests without a reply. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Returns the promise of the reply to a request that was just sent. `options` are checked, and the signal has not aborted. */
  add(id: number, { timeoutMs = TIMEOUT_MS, signal }: RequestOptions): Promise<string | Uint8Array> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => this.#cancel(id, signal!.reason);
      const cancelTimer =
        timeoutMs <= MAX_TIMEOUT_MS
          ? this.#owner.after(timeoutMs, () => this.#cancel(id, new ChannelError("REPLY_TIMEOUT", `${timeoutMs} ms`)))
          : undefined;
      signal?.addEventListener("abort", onAbort);
      const release = (): void => {
        cancelTimer?.();
        signal?.removeEventListener("abort", onAbort);
      };
      this.#waiting.set(id, { resolve, reject, release });
    });
  }

  /** A `reply` or an `error` has arrived. Ignored if nobody waits for it. Throws BAD_RECORD for an error that is malformed. */
  settle({ verb, id, data }: RequestContent): void {
    const failure = verb === "error" ? decodeFailure(data) : undefined;
    const asked = this.#take(id);
    if (failure === undefined) asked?.resolve(data);
    else if (failure.code === "REQUEST_REFUSED") asked?.reject(new RequestError(failure.reason ?? "", failure.data));
    else {
      const isKnown = CODES.includes(failure.code);
      asked?.reject(new ChannelError(isKnown ? (failure.code as ErrorCode) : "REQUEST_FAILED"));
    }
  }

  /** No reply comes to the requests that `isOver` names, by default to all. */
  fail(code: ErrorCode, why: string, isOver: (id: number) => boolean = () => true): void {
    for (const id of [...this.#waiting.keys()]) {
      if (isOver(id)) this.#take(id)?.reject(new ChannelError(code, why));
    }
  }

  #cancel(id: number, reason: unknown): void {
    const asked = this.#take(id);
    if (asked === undefined) return;
    this.#owner.cancel(id);
    asked.reject(reason);
  }

  #take(id: number): Asked | undefined {
    const asked = this.#waiting.get(id);
    this.#waiting.delete(id);
    asked?.release();
    return asked;
  }
}
