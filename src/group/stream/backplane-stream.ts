// One group's stream from a backplane: its subscription, and the log of what the subscription has delivered. Members catch
// up from the log where it reaches back far enough, and from the backplane's history where it does not.

import type { BackplaneEntry } from "../../backplane/backplane.ts";
import type { GuardedBackplane } from "../../backplane/guarded.ts";
import type { HistoryBudget } from "../history-budget.ts";
import { GroupLog, type LogLimits } from "../log.ts";
import type { GroupEntry } from "../message.ts";
import type { Retries } from "./retries.ts";
import type { GroupStream, Replay, StreamListener } from "./source.ts";
import { Subscription, type SubscriptionOwner } from "./subscription.ts";

/** Time for which a group without members stays subscribed: polls, and clients that lost their network, are soon back. */
const LINGER_MS = 10_000;

/** Lower bounds of the log: the replay of a member that catches up must reach the live entries. */
const MIN_LOG = { size: 256, ttlMs: LINGER_MS };

/** Number of times that a broker is asked which knows less than this process has received. */
const MAX_TRIES = 5;

export interface BackplaneStreamOwner {
  readonly backplane: GuardedBackplane;
  readonly limits: LogLimits;
  readonly budget: HistoryBudget;
  readonly retries: Retries;
  history(since: string): Promise<Replay>;
  /** Returns undefined for an entry that is not a message. */
  toEntry(entry: BackplaneEntry): GroupEntry | undefined;
  report(error: unknown): void;
  /** The stream has ended; its subscription has when the promise resolves. */
  ended(unsubscribed: Promise<void>): void;
}

export class BackplaneStream implements GroupStream, SubscriptionOwner {
  readonly #group: string;
  readonly #listener: StreamListener;
  readonly #owner: BackplaneStreamOwner;
  readonly #subscription: Subscription;
  /** Undefined until the subscription is active. */
  #log: GroupLog | undefined;

  constructor(group: string, listener: StreamListener, owner: BackplaneStreamOwner) {
    this.#group = group;
    this.#listener = listener;
    this.#owner = owner;
    this.#subscription = new Subscription(group, owner.backplane, owner.retries, this);
  }

  /** Begins, when the group's previous subscription has ended. */
  subscribe(previous: Promise<void> | undefined): void {
    this.#subscription.start(previous);
  }

  /** Calls `fn` when the first attempt to subscribe has succeeded or failed, in the order of these calls. */
  whenTried<T>(fn: () => Promise<T>): Promise<T> {
    return this.#subscription.whenTried(fn);
  }

  has(id: string): boolean {
    return this.#log?.has(id) === true;
  }

  replay(since: string | undefined): Replay | Promise<Replay> {
    return this.#fromLogOf(since) ?? this.#fromBackplane(since, () => this.#fromLogOf(since));
  }

  replayFrom(position: string): Replay | Promise<Replay> {
    return this.#fromLog(position) ?? this.#fromBackplane(position, () => this.#fromLog(position));
  }

  expire(nowMs: number, emptySinceMs: number | undefined): boolean {
    this.#log?.expire(nowMs);
    if (emptySinceMs === undefined) return this.#log?.isEmpty === false;
    return nowMs - emptySinceMs < LINGER_MS;
  }

  end(): void {
    this.#log?.clear();
    this.#owner.ended(this.#subscription.stop());
  }

  began(position: string | undefined): void {
    const { limits, budget, backplane } = this.#owner;
    const size = Math.max(limits.size, MIN_LOG.size);
    const ttlMs = Math.max(limits.ttlMs, MIN_LOG.ttlMs);
    this.#log = new GroupLog(position, { size, ttlMs, maxBytes: limits.maxBytes }, budget, (a, b) =>
      backplane.compareIds(a, b, this.#group),
    );
  }

  beganLate(): void {
    // Members were added while an attempt failed.
    this.#listener.gapBefore();
  }

  received(entry: BackplaneEntry): void {
    const log = this.#log!;
    // A backplane that has reconnected may repeat some entries.
    if (log.has(entry.id)) return;
    const found = this.#owner.toEntry(entry);
    if (found === undefined) {
      log.skip(entry.id);
      return;
    }
    log.append(found);
    this.#listener.accept(found);
  }

  gap(): void {
    this.#log?.interrupt();
    this.#listener.gap();
  }

  failed(error: unknown): void {
    this.#owner.report(error);
  }

  /** Returns the entries after an id from a client, if the log has them. */
  #fromLogOf(since: string | undefined): Replay | undefined {
    const log = this.#log;
    if (log === undefined) return undefined;
    if (since === undefined) return { entries: [], reset: false, position: log.last ?? "" };
    // A client may send an id that does not exist yet: only the backplane knows.
    if (since === "" || (this.#owner.backplane.isId(since, this.#group) && log.has(since))) return this.#fromLog(since);
    return undefined;
  }

  #fromLog(position: string): Replay | undefined {
    const entries = this.#log?.after(position);
    if (entries === undefined) return undefined;
    return {
      entries,
      reset: false,
      position: entries.at(-1)?.id ?? (position === "" ? (this.#log?.last ?? "") : position),
    };
  }

  async #fromBackplane(since: string | undefined, fromLog: () => Replay | undefined): Promise<Replay> {
    const nothing = { entries: [], reset: false, position: since ?? "" };
    for (let attempt = 0; ; attempt++) {
      // The subscription comes first, so that entries after the answer are received.
      await this.#subscription.settled();
      if (!this.#subscription.isActive) return nothing;
      const found = fromLog();
      if (found !== undefined) return found;
      const log = this.#log!;
      const { last = "", breaks } = log;
      try {
        const { entries, reset, position } = await this.#owner.history(since ?? "");
        const end = position !== "" ? position : reset || since === undefined || since === "" ? last : since;
        log.mend(breaks, end);
        if (entries.length > 0 || reset || log.after(end) !== undefined) return { entries, reset, position: end };
        // The broker has fewer entries than were received here: a replica that lags behind.
        if (attempt === MAX_TRIES) return { entries, reset: true, position: last };
      } catch (error) {
        this.#owner.report(error);
      }
      await this.#owner.retries.pause(attempt).over;
    }
  }
}
