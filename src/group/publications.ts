// Messages that were published to several groups at once. Each group has an entry of its own for such a message; a channel that is
// a member of several of these groups receives the first entry that reaches it, live or in a replay.

import type { AnyChannel } from "../channel/channel.ts";

/** Publications of a store whose receivers are remembered; the oldest are forgotten first. */
const MAX_PUBLICATIONS = 1000;
/** Receivers of all of them. One takes about 50 bytes. A single publication may have more. */
const MAX_RECEIVERS = 100_000;

/** Publications that a channel takes to another process: those that may still come as an entry of another group. */
const MAX_MOVED = 100;
const NO_KEYS: readonly string[] = [];

/** One message in several groups. */
export class Publication {
  readonly #owner: Publications;
  /** Held weakly: histories outlive channels. */
  #receivers = new WeakSet<AnyChannel>();
  count = 0;
  isForgotten = false;

  constructor(owner: Publications) {
    this.#owner = owner;
  }

  /** Returns true for the first call with this channel, and for all calls when the receivers are forgotten. */
  isFirstFor(channel: AnyChannel): boolean {
    if (this.isForgotten) return true;
    if (this.#receivers.has(channel)) return false;
    this.#receivers.add(channel);
    this.count += 1;
    this.#owner.received();
    return true;
  }

  hasReached(channel: AnyChannel): boolean {
    return this.#receivers.has(channel);
  }

  forget(): void {
    this.isForgotten = true;
    this.#receivers = new WeakSet();
  }
}

export class Publications {
  readonly #byKey = new Map<string, Publication>();
  #receivers = 0;

  /** Finds a publication, or creates it. `key`: unique among all processes. */
  open(key: string): Publication {
    let publication = this.#byKey.get(key);
    if (publication === undefined) {
      publication = new Publication(this);
      this.#byKey.set(key, publication);
      if (this.#byKey.size > MAX_PUBLICATIONS) this.#forgetOldest();
    }
    return publication;
  }

  /** Returns the keys of the latest publications that a channel has received: it goes on in another process. */
  receivedBy(channel: AnyChannel): readonly string[] {
    if (this.#byKey.size === 0) return NO_KEYS;
    const latest = [...this.#byKey].slice(-MAX_MOVED);
    return latest.flatMap(([key, publication]) => (publication.hasReached(channel) ? [key] : []));
  }

  /** Called with each receiver of a publication. */
  received(): void {
    this.#receivers += 1;
    while (this.#receivers > MAX_RECEIVERS && this.#byKey.size > 1) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const [oldest] = this.#byKey;
    const [key, publication] = oldest!;
    this.#byKey.delete(key);
    this.#receivers -= publication.count;
    publication.forget();
  }
}
