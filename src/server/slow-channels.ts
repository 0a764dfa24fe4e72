// Ends channels that hold their equal part or more of all unsent bytes while these exceed `maxTotalBufferedBytes`. A send
// finds the channels whose buffer grows; channels to which nothing more is sent are found here.

import type { TransportChannel } from "../channel/transport-channel.ts";

/**
 * How long a channel may hold its part. A client that takes what it is sent holds less than its part within this time; a
 * session's client, which is asked to, acknowledges within it.
 */
const PATIENCE_MS = 5000;

export class SlowChannels {
  /** Channels that hold their part without a break, and since when. */
  #since: ReadonlyMap<TransportChannel, number> | undefined;

  /** Called with each tick while the sum is exceeded. */
  tick(channels: Iterable<TransportChannel>, now: number): void {
    const before = this.#since;
    const since = new Map<TransportChannel, number>();
    this.#since = since;
    for (const channel of channels) {
      if (!channel.holdsShare) continue;
      const from = before?.get(channel);
      if (from === undefined) channel.hurry();
      if (from === undefined || now - from < PATIENCE_MS) since.set(channel, from ?? now);
      else channel.makeRoom();
    }
  }

  /** Called when the sum is within its limit. */
  reset(): void {
    this.#since = undefined;
  }
}
