// The streams of groups that a backplane carries between processes. Every message comes back through the stream, also to
// the process that published it, so that all hear the same order. A group is subscribed while it has members here.

import { randomBytes } from "node:crypto";
import type { Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { Backplane, BackplaneEntry, BackplaneMember } from "./backplane.ts";
import { decodeEnvelope, encodeEnvelope, ORIGIN_BYTES } from "./envelope.ts";
import { Feed } from "./feed.ts";
import type { Group } from "./group.ts";
import { GroupLog } from "./group-log.ts";
import { GroupEntry, type GroupMessage } from "./group-message.ts";
import { GuardedBackplane } from "./guarded-backplane.ts";
import type { GroupStreams, Missed, StreamsOwner } from "./streams.ts";
import { orUnavailable } from "./unavailable.ts";

/** A group without members is heard for so long: polls, and clients that lost their network, are soon back. */
const LINGER_MS = 10_000;

/** The least that is kept here, so that who catches up meets the live messages, while the memory that a history may take allows it. */
const MIN_LOG = { size: 256, ttlMs: LINGER_MS };

/** How often a broker is asked that knows less than was heard from it. */
const MAX_TRIES = 5;

/** Messages of ours whose `except` is remembered until they come back; the oldest are forgotten first. */
const MAX_EXCEPTIONS = 10_000;

/** How long leaving a backplane may take, and closing it. */
const CLOSE_MS = 10_000;

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 8000;

export class BackplaneStreams implements GroupStreams {
  readonly #backplane: GuardedBackplane;
  readonly #owner: StreamsOwner;
  readonly #feeds = new Map<string, Feed>();
  /** Subscriptions that are being ended: a group has one at a time. */
  readonly #ending = new Map<string, Promise<void>>();
  /** Marks our own messages in the stream. */
  readonly #origin: string = randomBytes(ORIGIN_BYTES).toString("hex");
  #number = 0;
  readonly #exceptions = new Map<number, WeakRef<AnyChannel>>();
  /** Members of ours, and what is being done about each. */
  readonly #present = new Map<string, Presence>();
  #isClosed = false;
  /** Ends what waits for another attempt. */
  readonly #pauses = new Set<() => void>();

  constructor(backplane: Backplane, owner: StreamsOwner) {
    this.#backplane = new GuardedBackplane(backplane, (error, group) => owner.report(error, group));
    this.#owner = owner;
  }

  begin(group: Group): void {
    const feed = new Feed(group.name, this.#backplane, {
      began: (position, isLate) => {
        const { size, ttlMs, maxBytes } = this.#owner.history;
        const limits = { size: Math.max(size, MIN_LOG.size), ttlMs: Math.max(ttlMs, MIN_LOG.ttlMs), maxBytes };
        const compareIds = (a: string, b: string): number => this.compareIds(a, b, group.name);
        group.log = new GroupLog(position, limits, this.#owner.budget, compareIds);
        // Members have been here for a while, and what was said meanwhile nobody knows.
        if (isLate) group.gap(true);
      },
      heard: (entry) => this.#heard(group, entry),
      gap: () => {
        group.log?.interrupt();
        group.gap();
      },
      failed: (error) => this.#owner.report(error, group.name),
      pause: (attempt) => this.#pause(attempt),
    });
    this.#feeds.set(group.name, feed);
    feed.start(this.#ending.get(group.name));
  }

  keeps({ log, size, emptySinceMs }: Group, nowMs: number): boolean {
    log?.expire(nowMs);
    if (size > 0) return log?.isEmpty === false;
    return nowMs - emptySinceMs < LINGER_MS;
  }

  end({ name, log }: Group): void {
    log?.clear();
    const feed = this.#feeds.get(name);
    if (feed === undefined) return;
    const ended = feed.stop();
    this.#feeds.delete(name);
    this.#ending.set(name, ended);
    void ended.then(() => {
      if (this.#ending.get(name) === ended) this.#ending.delete(name);
    });
  }

  publish(name: string, message: GroupMessage, except: AnyChannel | undefined): Promise<string> {
    this.#number = (this.#number + 1) >>> 0;
    const number = this.#number;
    const feed = this.#feeds.get(name);
    if (except !== undefined && feed !== undefined) this.#remember(number, except);
    const payload = encodeEnvelope({ origin: this.#origin, number, message });
    const { size, ttlMs } = this.#owner.history;
    const send = (): Promise<string> => orUnavailable(() => this.#backplane.publish(name, payload, { size, ttlMs }));
    // Who was added to the group before hears it: its subscription must stand in the stream before the message does.
    return feed === undefined ? send() : feed.whenTried(send);
  }

  missed(group: Group, since: string | undefined, isKnown: boolean): Missed | Promise<Missed> {
    return this.#inLog(group, since, isKnown) ?? this.#ask(group, since, isKnown);
  }

  history(name: string, since: string): Promise<Missed> {
    return orUnavailable(() => this.#history(name, since));
  }

  async #history(name: string, since: string): Promise<Missed> {
    const isKnown = since === "" || this.#backplane.isId(since, name);
    const { entries, reset } = await (since === "" || !isKnown
      ? this.#backplane.history(name)
      : this.#backplane.history(name, since));
    const found = entries.flatMap((entry) => this.#toEntry(name, entry) ?? []);
    return { entries: found, reset: reset || !isKnown, position: entries.at(-1)?.id ?? "" };
  }

  compareIds(a: string, b: string, name: string): number {
    return this.#backplane.compareIds(a, b, name);
  }

  enter(name: string, member: BackplaneMember): void {
    const presence = this.#present.get(member.key) ?? { name, member, done: Promise.resolve(), isWanted: true };
    presence.member = member;
    this.#present.set(member.key, presence);
    presence.done = presence.done.then(() => this.#enter(presence));
  }

  leave(name: string, key: string): void {
    const presence = this.#present.get(key);
    if (presence === undefined) return;
    this.#present.delete(key);
    presence.isWanted = false;
    presence.done = presence.done
      .then(() => this.#backplane.leave(name, key))
      .catch((error) => this.#owner.report(error, name));
  }

  present(name: string): Promise<readonly BackplaneMember[]> {
    return orUnavailable(() => this.#backplane.present(name));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const resolve of this.#pauses) resolve();
    const present = [...this.#present.values()];
    for (const { name, member } of present) this.leave(name, member.key);
    // A backplane that does not answer keeps nobody waiting for ever.
    await this.#within(Promise.all([...present.map(({ done }) => done), ...this.#ending.values()]));
    await this.#within(this.#backplane.close().catch((error) => this.#owner.report(error, "")));
  }

  async #within(done: Promise<unknown>): Promise<void> {
    let timer: Timer;
    const late = new Promise<void>((resolve) => {
      timer = this.#owner.clock.setTimer(resolve, CLOSE_MS);
    });
    await Promise.race([done, late]);
    this.#owner.clock.clearTimer(timer);
  }

  #inLog({ log, name }: Group, since: string | undefined, isKnown: boolean): Missed | undefined {
    if (log === undefined) return undefined;
    if (since === undefined) return { entries: [], reset: false, position: log.last ?? "" };
    // What a client says may be an id that does not exist yet: only the backplane knows.
    if (since !== "" && !isKnown && !(this.#backplane.isId(since, name) && log.has(since))) return undefined;
    const entries = log.after(since);
    if (entries === undefined) return undefined;
    return { entries, reset: false, position: entries.at(-1)?.id ?? (since === "" ? (log.last ?? "") : since) };
  }

  async #ask(group: Group, since: string | undefined, isKnown: boolean): Promise<Missed> {
    const nothing = { entries: [], reset: false, position: since ?? "" };
    const feed = this.#feeds.get(group.name);
    for (let attempt = 0; ; attempt++) {
      // Subscribed first, so that what comes after the answer is heard.
      await feed?.on();
      if (feed === undefined || !feed.isOn) return nothing;
      const found = this.#inLog(group, since, isKnown);
      if (found !== undefined) return found;
      const log = group.log!;
      const { last = "", breaks } = log;
      try {
        const { entries, reset, position } = await this.#history(group.name, since ?? "");
        const end = position !== "" ? position : reset || since === undefined || since === "" ? last : since;
        log.mend(breaks, end);
        if (entries.length > 0 || reset || log.after(end) !== undefined) return { entries, reset, position: end };
        // The broker shows less than was heard here already: a replica that is behind.
        if (attempt === MAX_TRIES) return { entries, reset: true, position: last };
      } catch (error) {
        this.#owner.report(error, group.name);
      }
      await this.#pause(attempt);
    }
  }

  #heard(group: Group, entry: BackplaneEntry): void {
    const log = group.log!;
    // A backplane that has connected again may begin a little earlier.
    if (log.has(entry.id)) return;
    const found = this.#toEntry(group.name, entry);
    if (found === undefined) log.skip(entry.id);
    else group.accept(found);
  }

  /** Undefined for what is none of ours. */
  #toEntry(name: string, { id, payload }: BackplaneEntry): GroupEntry | undefined {
    const envelope = decodeEnvelope(payload);
    if (envelope === undefined) {
      this.#owner.report(new ChannelError("BAD_DATA", `entry ${id} of the backplane is no message`), name);
      return undefined;
    }
    const isOwn = envelope.origin === this.#origin;
    const except = isOwn ? this.#exceptions.get(envelope.number)?.deref() : undefined;
    return new GroupEntry(id, envelope.message, this.#owner.clock.now(), except);
  }

  #remember(number: number, except: AnyChannel): void {
    this.#exceptions.set(number, new WeakRef(except));
    if (this.#exceptions.size <= MAX_EXCEPTIONS) return;
    const [oldest] = this.#exceptions.keys();
    this.#exceptions.delete(oldest!);
  }

  /** Until it has succeeded, or nobody wants it any more. */
  async #enter(presence: Presence): Promise<void> {
    for (let attempt = 0; presence.isWanted && !this.#isClosed; attempt++) {
      try {
        return await this.#backplane.enter(presence.name, presence.member);
      } catch (error) {
        this.#owner.report(error, presence.name);
        await this.#pause(attempt);
      }
    }
  }

  #pause(attempt: number): Promise<void> {
    const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** attempt);
    return new Promise((resolve) => {
      const { clock } = this.#owner;
      const end = (): void => {
        clock.clearTimer(timer);
        this.#pauses.delete(end);
        resolve();
      };
      const timer: Timer = clock.setTimer(end, delayMs);
      this.#pauses.add(end);
    });
  }
}

interface Presence {
  readonly name: string;
  member: BackplaneMember;
  done: Promise<void>;
  isWanted: boolean;
}
