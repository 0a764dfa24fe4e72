// Reports the errors of a store: to its `onError`, or else on the console.

import type { Clock } from "../base/clock.ts";
import { guard } from "../base/guard.ts";
import { kindOf, LogLimit } from "../base/log-limit.ts";
import { printError } from "../base/print-error.ts";
import { isAbortOfChannel } from "../channel/callbacks.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { ChannelStoreOptions } from "./channel-store.ts";

export class StoreErrors {
  readonly #clock: Clock;
  readonly #onError: ChannelStoreOptions["onError"];
  /** Created by the first error that is printed: clients decide how often members come and go, and each may cause an error. */
  #limit: LogLimit | undefined;

  constructor(clock: Clock, onError: ChannelStoreOptions["onError"]) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** `group`: undefined for an error that concerns no group. Never throws. */
  readonly report = (error: unknown, group: string | undefined, channel?: AnyChannel): void => {
    if (channel !== undefined && isAbortOfChannel(channel, error)) return;
    const onError = this.#onError;
    const where = group === undefined ? "of a store" : `in group ${group}`;
    if (onError === undefined) {
      this.#print(kindOf(error), `unichannel: error ${where}`, error);
      return;
    }
    // An `onError` that fails must not stop a delivery, or keep a member from leaving.
    void guard(
      () => onError(error, { group, channel }),
      (second) => {
        const what = `unichannel: onError of a store has failed, at an error ${where}`;
        this.#print(`onError (${kindOf(second)})`, what, second, error);
      },
    );
  };

  /** Prints how many errors were left out so far. */
  flush(): void {
    this.#limit?.flush();
  }

  #print(kind: string, ...what: readonly unknown[]): void {
    this.#limit ??= new LogLimit(this.#clock, (of, count, windowMs) => {
      printError(`unichannel: ${count} more errors of groups (${of}) were left out in ${windowMs / 1000} s`);
    });
    if (this.#limit.admits(kind)) printError(...what);
  }
}
