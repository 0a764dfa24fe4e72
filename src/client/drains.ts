// The promises of `drained`.

import { ChannelError } from "../base/channel-error.ts";

export interface Drains {
  /** Nobody need listen to the promise. */
  wait(): Promise<void>;
  resolve(): void;
  /** Rejects with CONNECTION_CLOSED. */
  reject(why: string): void;
}

export function drains(): Drains {
  /** Everybody who waits has the same promise. */
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
