// Ends channels that hold their equal share or more of all unsent bytes while these exceed `maxTotalBufferedBytes`. A send
// finds channels whose buffer grows; this finds channels to which nothing more is sent.

import { holdsUnsentShare } from "../channel/memory-share.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/**
 * How long a channel may hold its share. A client that reads holds less within this time, and the client of a session
 * acknowledges within it, as it is asked to.
 */
const PATIENCE_MS = 5000;

export class SlowChannels {
  readonly #budget: BufferBudget;
  /** Channels that hold their share without a break, and since when. */
  #since: ReadonlyMap<TransportChannel, number> | undefined;

  constructor(buffered: BufferBudget) {
    this.#budget = buffered;
  }

  /** Called with each tick while the sum is exceeded. */
  tick(channels: Iterable<TransportChannel>, now: number): void {
    const before = this.#since;
    const since = new Map<TransportChannel, number>();
    this.#since = since;
    for (const channel of channels) {
      if (!holdsUnsentShare(channel, this.#budget)) continue;
      const from = before?.get(channel);
      if (from === undefined) channel.hurry();
      if (from === undefined || now - from < PATIENCE_MS) since.set(channel, from ?? now);
      else channel.failTooSlow();
    }
  }

  /** Called when the sum is within its limit. */
  reset(): void {
    this.#since = undefined;
  }
}
