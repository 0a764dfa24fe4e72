// One group's stream from a backplane: its subscription, and the log of the entries that it has delivered. Members catch
// up from the log where it reaches back far enough, and from the backplane's history where it does not.

import type { BackplaneEntry } from "../../backplane/backplane.ts";
import type { GuardedBackplane } from "../../backplane/guarded.ts";
import type { AnyChannel } from "../../channel/channel.ts";
import type { ControlEntry } from "../control.ts";
import type { HistoryBudget } from "../history-budget.ts";
import { newestOfEach } from "../latest.ts";
import { GroupLog, type LogLimits } from "../log.ts";
import { GroupEntry, type GroupMessage, NO_ENTRIES } from "../message.ts";
import type { Retries } from "./retries.ts";
import type { GroupStream, Replay, StreamListener } from "./source.ts";
import { Subscription, type SubscriptionOwner } from "./subscription.ts";

/** Time for which a group without members stays subscribed: polls, and clients that lost their network, are soon back. */
const LINGER_MS = 10_000;

/** Lower bounds of the log: the replay of a member that catches up must reach the live entries. */
const MIN_LOG = { size: 256, ttlMs: LINGER_MS };

/** Number of further questions to a broker that has fewer entries than this process has received. */
const MAX_TRIES = 5;

export interface BackplaneStreamOwner {
  readonly backplane: GuardedBackplane;
  readonly limits: LogLimits;
  /** True if the last value of each key is kept. */
  readonly keepsLatest: boolean;
  readonly budget: HistoryBudget;
  readonly retries: Retries;
  /** Returns the call that publishes a message. */
  preparePublish(group: string, message: GroupMessage, except: AnyChannel | undefined): () => Promise<string>;
  /** Asks the backplane for the entries after `since`; an empty string: for all that are kept. */
  readHistory(group: string, since: string): Promise<Replay>;
  /** Returns undefined for an entry that no store has written. */
  toEntry(group: string, entry: BackplaneEntry): GroupEntry | ControlEntry | undefined;
  report(error: unknown, group: string): void;
  /** The stream has ended; its subscription has when the promise resolves. */
  streamEnded(group: string, unsubscribed: Promise<void>): void;
}

export class BackplaneStream implements GroupStream, SubscriptionOwner {
  readonly #group: string;
  readonly #listener: StreamListener;
  readonly #owner: BackplaneStreamOwner;
  readonly #subscription: Subscription;
  /** The position at which the subscription began. */
  #beganAt: string | undefined;
  /** Undefined until the subscription is active. */
  #log: GroupLog | undefined;

  /** Subscribes when the group's previous subscription has ended. */
  constructor(
    group: string,
    listener: StreamListener,
    owner: BackplaneStreamOwner,
    previous: Promise<void> | undefined,
  ) {
    this.#group = group;
    this.#listener = listener;
    this.#owner = owner;
    this.#subscription = new Subscription(group, owner.backplane, owner.retries, this);
    this.#subscription.start(previous);
  }

  /** Members that were added before must receive the message, so the subscription has to precede it in the backplane. */
  publish(message: GroupMessage, except: AnyChannel | undefined): Promise<string> {
    return this.#subscription.whenTried(this.#owner.preparePublish(this.#group, message, except));
  }

  /** Runs a call that publishes, for the same reason when the subscription was tried. */
  afterSubscribing(send: () => Promise<string>): Promise<string> {
    return this.#subscription.whenTried(send);
  }

  compareIds(a: string, b: string): number {
    return this.#owner.backplane.compareIds(a, b, this.#group);
  }

  isId(text: string): boolean {
    return this.#owner.backplane.isId(text, this.#group);
  }

  get position(): string | undefined {
    const log = this.#log;
    return log === undefined ? undefined : (log.last ?? "");
  }

  start(): string | undefined | Promise<string | undefined> {
    return this.#log === undefined ? this.#subscription.settled().then(() => this.#beganAt) : this.#log.last;
  }

  has(id: string): boolean {
    return this.#log?.has(id) === true;
  }

  replay(since: string | undefined): Replay | Promise<Replay> {
    return this.#fromLogOf(since) ?? this.#fromBackplane(since, () => this.#fromLogOf(since));
  }

  replayFrom(position: string | undefined): Replay | Promise<Replay> {
    return this.#fromLog(position) ?? this.#fromBackplane(position, () => this.#fromLog(position));
  }

  expire(nowMs: number, emptySinceMs: number | undefined): boolean {
    this.#log?.expire(nowMs);
    if (emptySinceMs === undefined) return this.#log?.isEmpty === false;
    return nowMs - emptySinceMs < LINGER_MS;
  }

  end(): void {
    this.#log?.clear();
    this.#owner.streamEnded(this.#group, this.#subscription.stop());
  }

  began(position: string | undefined, failedAttempts: number): void {
    const { limits, budget } = this.#owner;
    const size = Math.max(limits.size, MIN_LOG.size);
    const ttlMs = Math.max(limits.ttlMs, MIN_LOG.ttlMs);
    const { maxBytes } = limits;
    this.#beganAt = position;
    this.#log = new GroupLog(position, { size, ttlMs, maxBytes }, budget, (a, b) => this.compareIds(a, b));
    if (failedAttempts > 0) this.#listener.gap("before");
  }

  received(entry: BackplaneEntry): void {
    const log = this.#log!;
    // A backplane that has reconnected may repeat some entries.
    if (log.has(entry.id)) return;
    const found = this.#owner.toEntry(this.#group, entry);
    if (found instanceof GroupEntry) {
      log.append(found);
      this.#listener.accept(found);
      return;
    }
    log.skip(entry.id);
    if (found !== undefined) this.#listener.control(found);
  }

  gap(): void {
    this.#log?.interrupt();
    this.#listener.gap("between");
  }

  failed(error: unknown): void {
    this.#owner.report(error, this.#group);
  }

  /** Returns the entries after an id from a client, if the log has them. */
  #fromLogOf(since: string | undefined): Replay | undefined {
    const log = this.#log;
    if (log === undefined) return undefined;
    if (since === undefined) return { entries: NO_ENTRIES, reset: false, position: log.last };
    // Values are older than the stream.
    if (since === "") return this.#owner.keepsLatest ? undefined : this.#fromLog(undefined);
    // A client may send an id that does not exist yet: only the backplane knows.
    return this.#owner.backplane.isId(since, this.#group) && log.has(since) ? this.#fromLog(since) : undefined;
  }

  #fromLog(position: string | undefined): Replay | undefined {
    const kept = this.#log?.after(position);
    if (kept === undefined) return undefined;
    const entries = this.#owner.keepsLatest ? newestOfEach(kept) : kept;
    return { entries, reset: false, position: kept.at(-1)?.id ?? position ?? this.#log?.last };
  }

  async #fromBackplane(since: string | undefined, fromLog: () => Replay | undefined): Promise<Replay> {
    const { retries } = this.#owner;
    const asked = since === "" ? undefined : since;
    for (let attempt = 0; ; attempt++) {
      // The subscription comes first, so that entries after the answer are received.
      await this.#subscription.settled();
      if (!this.#subscription.isActive) return { entries: NO_ENTRIES, reset: false, position: asked };
      const found = fromLog();
      if (found !== undefined) return found;
      const log = this.#log!;
      const { last, interruptions } = log;
      try {
        const { entries, reset, position } = await this.#owner.readHistory(this.#group, since ?? "");
        const end = position ?? (reset ? last : (asked ?? last));
        log.resumeAt(interruptions, end);
        if (entries.length > 0 || reset || log.after(end) !== undefined) return { entries, reset, position: end };
        // The broker has fewer entries than were received here: a replica that lags behind.
        if (attempt === MAX_TRIES) return { entries, reset: true, position: last };
      } catch (error) {
        this.#owner.report(error, this.#group);
      }
      await retries.pause(attempt).over;
    }
  }
}
