// The streams that processes publish to groups, as all processes of a backplane know them. A record for each group names the stream
// under way and the process that publishes it; so a group has one at a time. The processes are listed as present. When one of
// them has died, a process that has members of the group takes its record and tells them that the stream is lost.

import type { GuardedBackplane } from "../../backplane/guarded.ts";
import { orUnavailable } from "../../backplane/unavailable.ts";
import { utf8, utf8Bytes } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { badOption } from "../../base/option-values.ts";
import { PUBLISHERS } from "../own-groups.ts";
import type { Retries } from "./retries.ts";

/** Interval of looking which processes live, while there are streams to look after. */
const LOOK_MS = 5000;
/** Number of looks in succession that lack a process before it counts as dead: a broker that lost its data gets the list again. */
const MISSED_LOOKS = 2;
/** Number of looks after which a process that has taken a record of a dead one, and tells nobody, counts as dead, too. */
const BURIAL_LOOKS = 6;

export interface LeaseOwner {
  /** Tells the members of a group in all processes that a stream is lost. */
  tellLost(group: string, stream: string): Promise<unknown>;
  /** A stream of this process belongs to nobody or to others: they have told that it is lost. */
  abandoned(group: string, stream: string): void;
}

export interface StreamLeasesOptions {
  readonly backplane: GuardedBackplane;
  readonly clock: Clock;
  readonly retries: Retries;
  /** Id of this store at the backplane. */
  readonly id: string;
  report(error: unknown, group: string | undefined): void;
}

interface LeaseRecord {
  readonly stream: string;
  /** The process that publishes it. */
  readonly by: string;
  /** The process that tells that it is lost. */
  readonly lostBy?: string;
}

/** A stream that is not over, as this process has seen it. */
interface SeenStream {
  readonly by: string;
  /** Number of looks in succession that lack its process. */
  missed: number;
}

export class StreamLeases {
  readonly #options: StreamLeasesOptions;
  /** The streams of this process, by group. */
  readonly #own = new Map<string, string>();
  /** The streams of other processes in groups that are open here. */
  readonly #seen = new Map<string, SeenStream>();
  #owner: LeaseOwner | undefined;
  #entered: Promise<void> | undefined;
  #timer: Timer;
  #isLooking = false;
  #isClosed = false;

  constructor(options: StreamLeasesOptions) {
    this.#options = options;
  }

  /** Called once, before any other method. */
  attach(owner: LeaseOwner): void {
    this.#owner = owner;
  }

  /** Makes a stream the group's. Resolves to false if it has one. Rejects with BACKPLANE_UNAVAILABLE, or BAD_OPTION without records. */
  async claim(group: string, stream: string): Promise<boolean> {
    this.#checkRecords();
    const { backplane, id } = this.#options;
    const name = recordName(group);
    const mine = encode({ stream, by: id });
    return orUnavailable(async () => {
      await this.#enter();
      for (;;) {
        const value = await backplane.readRecord(name);
        const found = decode(value);
        if (found !== undefined && !(await this.#isOver(found))) return false;
        if (!(await backplane.swapRecord(name, value, mine))) continue;
        this.#own.set(group, stream);
        this.#lookLater();
        if (found !== undefined && found.by !== id) await this.#owner!.tellLost(group, found.stream);
        return true;
      }
    });
  }

  /** The stream is over, or was not begun. Resolves when the record is gone, or the store is closed. */
  async release(group: string, stream: string): Promise<void> {
    const { backplane, retries, id } = this.#options;
    if (this.#own.get(group) === stream) this.#own.delete(group);
    for (let attempt = 0; !retries.isClosed; attempt++) {
      try {
        const value = await backplane.readRecord(recordName(group));
        const found = decode(value);
        if (found?.stream !== stream || found.by !== id) return;
        if (await backplane.swapRecord(recordName(group), value, undefined)) return;
      } catch (error) {
        if (attempt === 0) this.#options.report(error, group);
        await retries.pause(attempt).over;
      }
    }
  }

  /** Resolves to the stream of the group that is under way in any process; undefined if there is none. Rejects like `claim`. */
  async current(group: string): Promise<string | undefined> {
    this.#checkRecords();
    const value = await orUnavailable(() => this.#options.backplane.readRecord(recordName(group)));
    return decode(value)?.stream;
  }

  /** A message of a stream has been received in a group that is open here. */
  received(group: string, by: string, place: "part" | "end"): void {
    if (by === this.#options.id) return;
    if (place === "end") {
      this.#seen.delete(group);
      // The end of an earlier stream, or another process has taken this one for dead.
      const own = this.#own.get(group);
      if (own !== undefined) void this.#checkEnd(group, own);
    } else if (this.#seen.get(group)?.by !== by) {
      this.#seen.set(group, { by, missed: 0 });
      this.#lookLater();
    }
  }

  /** The group is not open here any more. */
  forget(group: string): void {
    this.#seen.delete(group);
  }

  close(): void {
    this.#isClosed = true;
    this.#options.clock.clearTimer(this.#timer);
  }

  #checkRecords(): void {
    if (this.#options.backplane.hasRecords) return;
    throw badOption(
      "publishStream needs a backplane with the methods readRecord, swapRecord and listRecords; this one lacks them",
    );
  }

  /** Lists this process, once. Other processes must know it before its first record. */
  #enter(): Promise<void> {
    const { backplane, id } = this.#options;
    this.#entered ??= backplane.enter(PUBLISHERS, { key: id, payload: new Uint8Array() }).catch((error: unknown) => {
      this.#entered = undefined;
      throw error;
    });
    return this.#entered;
  }

  /** True for a record that its process has left behind. */
  async #isOver({ by, stream }: LeaseRecord): Promise<boolean> {
    const { backplane, id } = this.#options;
    if (by === id) return ![...this.#own.values()].includes(stream);
    return !(await backplane.present(PUBLISHERS)).some(({ key }) => key === by);
  }

  #lookLater(): void {
    if (this.#timer !== undefined || this.#isLooking || this.#isClosed) return;
    if (this.#own.size === 0 && this.#seen.size === 0) return;
    this.#timer = this.#options.clock.setTimer(() => {
      this.#timer = undefined;
      void this.#look();
    }, LOOK_MS);
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    try {
      for (const [group, stream] of [...this.#own]) await this.#checkOwn(group, stream);
      if (this.#seen.size > 0) await this.#checkSeen();
    } catch (error) {
      if (!this.#isClosed) this.#options.report(error, undefined);
    }
    this.#isLooking = false;
    this.#lookLater();
  }

  /** Another process has told an end in the group. Never rejects. */
  async #checkEnd(group: string, stream: string): Promise<void> {
    try {
      const found = decode(await this.#options.backplane.readRecord(recordName(group)));
      if (found?.stream !== stream || found.lostBy !== undefined) this.#abandon(group, stream);
    } catch (error) {
      // The next look finds it.
      if (!this.#isClosed) this.#options.report(error, group);
    }
  }

  #abandon(group: string, stream: string): void {
    if (this.#own.get(group) !== stream) return;
    this.#own.delete(group);
    this.#owner!.abandoned(group, stream);
  }

  /** Another process may have taken this one for dead. A record that is missing was lost with the broker's data. */
  async #checkOwn(group: string, stream: string): Promise<void> {
    const { backplane, id } = this.#options;
    const name = recordName(group);
    const value = await backplane.readRecord(name);
    if (this.#own.get(group) !== stream) return;
    if (value === undefined && (await backplane.swapRecord(name, undefined, encode({ stream, by: id })))) {
      // The stream may have ended meanwhile.
      if (this.#own.get(group) !== stream) await this.release(group, stream);
      return;
    }
    const found = decode(value);
    if (found?.stream !== stream || found.lostBy !== undefined) this.#abandon(group, stream);
  }

  async #checkSeen(): Promise<void> {
    const living = new Set((await this.#options.backplane.present(PUBLISHERS)).map(({ key }) => key));
    for (const [group, seen] of [...this.#seen]) {
      if (living.has(seen.by)) seen.missed = 0;
      else if ((seen.missed += 1) >= MISSED_LOOKS) await this.#bury(group, seen);
    }
  }

  /** Tells that the stream of a dead process is lost, unless another process does. */
  async #bury(group: string, seen: SeenStream): Promise<void> {
    const { backplane, id } = this.#options;
    const name = recordName(group);
    const value = await backplane.readRecord(name);
    const found = decode(value);
    if (found?.by !== seen.by) {
      if (this.#seen.get(group) === seen) this.#seen.delete(group);
      return;
    }
    if (found.lostBy !== undefined && seen.missed < BURIAL_LOOKS) return;
    const taken = encode({ ...found, lostBy: id });
    if (this.#isClosed || !(await backplane.swapRecord(name, value, taken))) return;
    await this.#owner!.tellLost(group, found.stream);
    await backplane.swapRecord(name, taken, undefined);
    if (this.#seen.get(group) === seen) this.#seen.delete(group);
  }
}

function recordName(group: string): string {
  return `s${group}`;
}

function encode(record: LeaseRecord): Uint8Array {
  return utf8Bytes(JSON.stringify(record));
}

/** Returns undefined for bytes that no store has written: they are replaced. */
function decode(bytes: Uint8Array | undefined): LeaseRecord | undefined {
  if (bytes === undefined) return undefined;
  try {
    const { stream, by, lostBy } = JSON.parse(utf8(bytes)) as Record<string, unknown>;
    if (typeof stream !== "string" || typeof by !== "string") return undefined;
    return { stream, by, ...(typeof lostBy === "string" ? { lostBy } : {}) };
  } catch {
    return undefined;
  }
}
