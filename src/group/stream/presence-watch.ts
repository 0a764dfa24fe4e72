// Watches the presence of one group in all processes: marks the group as watched, hears who enters and leaves, and reads the list
// of all members from time to time, which also shows the members of a process that has died.

import type { BackplaneEntry } from "../../backplane/backplane.ts";
import type { GuardedBackplane } from "../../backplane/guarded.ts";
import { utf8 } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { WATCHERS, watchedGroup } from "../own-groups.ts";
import type { PresenceView } from "../presence-view.ts";
import { ASK_AGAIN_MS, decodeEvents, type PresenceEvent } from "./presence-events.ts";
import type { Retries } from "./retries.ts";
import { Subscription, type SubscriptionOwner } from "./subscription.ts";

/** Interval of reading the list of all members. */
const LIST_MS = 30_000;
/** Time until the next list if the last one lacked members. */
const MISSING_MS = 5000;
/** Until then, all processes know that the group is watched. */
const KNOWN_MS = 2 * ASK_AGAIN_MS;

export interface PresenceWatchOptions {
  readonly backplane: GuardedBackplane;
  readonly retries: Retries;
  readonly clock: Clock;
  /** Key of this process among the watchers. */
  readonly key: string;
  report(error: unknown, group: string): void;
}

export class PresenceWatch implements SubscriptionOwner {
  readonly #view: PresenceView;
  readonly #options: PresenceWatchOptions;
  readonly #subscription: Subscription;
  /** Events that arrive while the list is read; undefined while it is not. */
  #early: PresenceEvent[] | undefined;
  /** True if the list must be read once more. */
  #mustList = false;
  #timer: Timer;
  #hasEnded = false;

  constructor(view: PresenceView, options: PresenceWatchOptions, previous: Promise<void> | undefined) {
    this.#view = view;
    this.#options = options;
    this.#subscription = new Subscription(watchedGroup(view.group), options.backplane, options.retries, this);
    this.#subscription.start(previous);
  }

  /** Resolves when another watch of the group may begin. */
  end(): Promise<void> {
    this.#hasEnded = true;
    const { backplane, clock, key } = this.#options;
    clock.clearTimer(this.#timer);
    const unmarked = backplane.leave(watchedGroup(this.#view.group), key);
    unmarked.catch((error: unknown) => this.failed(error));
    return this.#subscription.stop();
  }

  began(): void {
    void this.#begin();
  }

  received({ id, payload }: BackplaneEntry): void {
    const events = decodeEvents(payload);
    if (events === undefined) {
      this.failed(new ChannelError("BAD_DATA", `entry ${id} of the backplane is not a list of presence events`));
    } else if (this.#early !== undefined) this.#early.push(...events);
    else this.#apply(events);
  }

  gap(): void {
    void this.#list();
  }

  failed(error: unknown): void {
    this.#options.report(error, this.#view.group);
  }

  async #begin(): Promise<void> {
    const { backplane, key } = this.#options;
    const member = { key, payload: new Uint8Array() };
    await this.#untilDone(async () => {
      await backplane.enter(WATCHERS, member);
      await backplane.enter(watchedGroup(this.#view.group), member);
    });
    // The mark was written when the watch had ended.
    if (this.#hasEnded) await backplane.leave(watchedGroup(this.#view.group), key).catch(() => {});
    await this.#list();
    // Until all processes know of the mark, they do not tell of changes.
    this.#listIn(KNOWN_MS);
  }

  #listIn(ms: number): void {
    const { clock } = this.#options;
    clock.clearTimer(this.#timer);
    if (!this.#hasEnded) this.#timer = clock.setTimer(() => void this.#list(), ms);
  }

  async #list(): Promise<void> {
    this.#mustList = true;
    if (this.#early !== undefined) return;
    while (this.#mustList && !this.#hasEnded) {
      this.#mustList = false;
      this.#early = [];
      const found = await this.#untilDone(() => this.#options.backplane.present(this.#view.group));
      if (found === undefined) break;
      const early = this.#early;
      this.#early = undefined;
      const isMissing = this.#view.listed(this.#read(found));
      this.#apply(early);
      this.#listIn(isMissing ? MISSING_MS : LIST_MS);
    }
    this.#early = undefined;
  }

  #read(found: readonly { readonly key: string; readonly payload: Uint8Array }[]): ReadonlyMap<string, string> {
    const members = new Map<string, string>();
    for (const { key, payload } of found) {
      const info = utf8(payload);
      try {
        JSON.parse(info);
        members.set(key, info);
      } catch (cause) {
        this.failed(new ChannelError("BAD_DATA", "the payload of a member in the backplane is not JSON", { cause }));
      }
    }
    return members;
  }

  #apply(events: readonly PresenceEvent[]): void {
    for (const [key, info] of events) {
      if (info === undefined) this.#view.left(key);
      else this.#view.entered(key, info);
    }
  }

  /** Runs it until it succeeds, or the watch has ended: resolves to undefined then. */
  async #untilDone<T>(run: () => Promise<T>): Promise<T | undefined> {
    const { retries } = this.#options;
    for (let attempt = 0; !this.#hasEnded && !retries.isClosed; attempt++) {
      try {
        return await run();
      } catch (error) {
        this.failed(error);
        await retries.pause(attempt).over;
      }
    }
    return undefined;
  }
}
