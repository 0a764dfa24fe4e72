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
  let waiting: { resolve(): void; reject(error: unknown): void }[] = [];
  const taken = (): typeof waiting => {
    const all = waiting;
    waiting = [];
    return all;
  };
  return {
    wait() {
      const promise = new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }));
      promise.catch(() => {});
      return promise;
    },
    resolve() {
      for (const { resolve } of taken()) resolve();
    },
    reject(why) {
      for (const { reject } of taken()) reject(new ChannelError("CONNECTION_CLOSED", why));
    },
  };
}
