// The promise that `drained` returns.

import { ChannelError } from "../base/channel-error.ts";

export interface Drains {
  /** Returns the promise. Its rejection need not be handled. */
  wait(): Promise<void>;
  resolve(): void;
  /** Rejects with CONNECTION_CLOSED. */
  reject(why: string): void;
}

export function drains(): Drains {
  /** All callers get the same promise. */
  let promise: Promise<void> | undefined;
  let settle: (error?: ChannelError) => void = () => {};
  return {
    wait() {
      promise ??= new Promise((resolve, reject) => {
        settle = (error) => {
          promise = undefined;
          if (error) reject(error);
          else resolve();
        };
      });
      promise.catch(() => {});
      return promise;
    },
    resolve: () => settle(),
    reject: (why) => settle(new ChannelError("CONNECTION_CLOSED", why)),
  };
}
