// The promise that `drained` returns.

import { ChannelError } from "../base/channel-error.ts";

export interface Drains {
  /** Returns the promise. Its rejection need not be handled. */
  wait(): Promise<void>;
  /** Resolves the promise, or with `why` rejects it with CONNECTION_CLOSED. */
  settle(why?: string): void;
}

export function drains(): Drains {
  /** All callers get the same promise. */
  let promise: Promise<void> | undefined;
  let settle: (why?: string) => void = () => {};
  return {
    wait() {
      promise ??= new Promise((resolve, reject) => {
        settle = (why) => {
          promise = undefined;
          if (why) reject(new ChannelError("CONNECTION_CLOSED", why));
          else resolve();
        };
      });
      promise.catch(() => {});
      return promise;
    },
    settle: (why) => settle(why),
  };
}
