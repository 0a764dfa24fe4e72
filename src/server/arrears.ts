// Channels that hold their equal part or more of what no client has taken, while all together hold more than
// `maxTotalBufferedBytes`. A send finds those that grow; those that are sent nothing more are found here.

import type { TransportChannel } from "../channel/transport-channel.ts";

/**
 * How long a channel may hold its part. A client that takes what it is sent holds less than its part within this time; a
 * session's client, which is asked to, acknowledges within it.
 */
const PATIENCE_MS = 5000;

export class Arrears {
  /** Since when each of them has held its part without a break. */
  #since: Map<TransportChannel, number> | undefined;

  /** Called with each beat while the sum is exceeded. */
  beat(channels: Iterable<TransportChannel>, now: number): void {
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

  /** The sum is within its limit. */
  clear(): void {
    this.#since = undefined;
  }
}
