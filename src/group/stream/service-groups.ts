// The lives of groups in all processes of a backplane. Each process writes into the record of a group that it has members, or has
// none any more. The call that changes whether there are any has the event in the record, too, until it is told: exactly one
// process tells it, and if that one dies, the one that buries it.

import { ByteWindow } from "../../backplane/byte-window.ts";
import type { GuardedBackplane } from "../../backplane/guarded.ts";
import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { GroupLives, LifeListener } from "./group-lives.ts";
import {
  burying,
  confirming,
  decodeRecord,
  encodeRecord,
  entering,
  eventsOf,
  type GroupChange,
  type GroupEvent,
  type GroupRecord,
  leaving,
  processesOf,
} from "./group-record.ts";
import type { Retries } from "./retries.ts";
import { LOOK_MS, ServiceProcesses } from "./service-processes.ts";

/**
 * Time for which no group ends here after a broker has lost its data: the other processes notice that within `LOOK_MS`, and until then the
 * records do not have their members.
 */
const SETTLE_MS = 2 * LOOK_MS;
/** Records that are changed at once. */
const MAX_CHANGES = 64;
/** Time for which a group does not end whose last member goes on in another process. */
const KEEP_MS = 60_000;
/** Attempts to change a record that others change, too, before the next one waits. */
const QUICK_ATTEMPTS = 20;

/** Failed attempts to change a record when the store is closed. */
const LAST_ATTEMPTS = 4;

interface Life {
  hasMembers: boolean;
  /** Time until which it does not end without members; see `#settledAtMs`, too. */
  keptUntilMs: number;
  /** Id of this process in the group's record; undefined if it is not there. */
  listedAs: string | undefined;
  isRunning: boolean;
}

export interface ServiceGroupsOptions extends LifeListener {
  readonly backplane: GuardedBackplane;
  readonly clock: Clock;
  readonly retries: Retries;
  report(error: unknown, group: string | undefined): void;
}

export class ServiceGroups implements GroupLives {
  readonly #options: ServiceGroupsOptions;
  readonly #processes: ServiceProcesses;
  readonly #lives = new Map<string, Life>();
  /** Time until which the records may lack processes. */
  #settledAtMs = 0;
  /** Former ids of this process. */
  readonly #former = new Set<string>();
  readonly #window = new ByteWindow(MAX_CHANGES);
  #running = 0;
  #onIdle: (() => void) | undefined;
  /** Number of the last call. */
  #count = 0;
  #isClosing = false;
  /** True if the records still name this process at the end. */
  #hasFailed = false;

  constructor(options: ServiceGroupsOptions) {
    this.#options = options;
    const { backplane, clock, retries, report } = options;
    this.#processes = new ServiceProcesses({
      ...{ backplane, clock, retries },
      report: (error) => report(error, undefined),
      renamed: (former) => {
        this.#former.add(former);
        this.#settledAtMs = clock.now() + SETTLE_MS;
        for (const [group, life] of this.#lives) this.#run(group, life);
      },
      looked: () => {
        for (const [group, life] of this.#lives) if (!life.hasMembers) this.#run(group, life);
      },
      bury: (dead) => this.#bury(dead),
      named: () => this.#named(),
    });
    // Others may have died while no process lived.
    void this.#processes.begin();
  }

  changed(group: string, hasMembers: boolean): void {
    let life = this.#lives.get(group);
    if (life === undefined) {
      if (!hasMembers) return;
      life = { hasMembers, keptUntilMs: 0, listedAs: undefined, isRunning: false };
      this.#lives.set(group, life);
    }
    life.hasMembers = hasMembers;
    if (hasMembers) life.keptUntilMs = 0;
    this.#run(group, life);
  }

  keep(group: string): void {
    const life = this.#lives.get(group);
    if (life !== undefined) life.keptUntilMs = this.#options.clock.now() + KEEP_MS;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    // A group that is still listed waits for members that go on in another process.
    const isKept = this.#hasFailed || [...this.#lives.values()].some(({ listedAs }) => listedAs !== undefined);
    await this.#processes.close({ isKept });
  }

  /** Id under which this process should be in the record of a group. */
  #wanted({ hasMembers, keptUntilMs, listedAs }: Life): string | undefined {
    const isKept = listedAs !== undefined && Math.max(keptUntilMs, this.#settledAtMs) > this.#options.clock.now();
    return hasMembers || isKept ? this.#processes.id : undefined;
  }

  #run(group: string, life: Life): void {
    if (life.isRunning || life.listedAs === this.#wanted(life)) {
      if (!life.isRunning && !life.hasMembers && life.listedAs === undefined) this.#lives.delete(group);
      return;
    }
    life.isRunning = true;
    this.#running += 1;
    void this.#window.run(1, () => this.#follow(group, life));
  }

  /** Writes until the record has what it should. Never rejects. */
  async #follow(group: string, life: Life): Promise<void> {
    await this.#processes.begin();
    for (let id = this.#wanted(life); life.listedAs !== id && !this.#isOver; id = this.#wanted(life)) {
      const by = this.#newCall();
      const own = new Set([...this.#former, this.#processes.id]);
      const change = id === undefined ? leaving(own, by) : entering(id, this.#former, by);
      if (!(await this.#change(group, change, by))) break;
      life.listedAs = id;
    }
    life.isRunning = false;
    if (!life.hasMembers && life.listedAs === undefined) this.#lives.delete(group);
    this.#running -= 1;
    if (this.#running === 0) this.#onIdle?.();
  }

  get #isOver(): boolean {
    return this.#options.retries.isClosed;
  }

  #newCall(): string {
    return `${this.#processes.id} ${(this.#count += 1)}`;
  }

  /** Changes a record, and tells what this has caused. Resolves to false if the store was closed before. Never rejects. */
  async #change(group: string, change: GroupChange, by: string): Promise<boolean> {
    const events = await this.#write(group, change, by);
    if (events === undefined) return false;
    for (const event of events) {
      if (event === "start") this.#options.started(group);
      else this.#options.ended(group);
    }
    return events.length === 0 || (await this.#write(group, confirming(by), undefined)) !== undefined;
  }

  /** Resolves to the events that `by` has to tell; undefined if the store was closed. */
  async #write(group: string, change: GroupChange, by: string | undefined): Promise<readonly GroupEvent[] | undefined> {
    const { backplane, report, retries } = this.#options;
    const name = groupRecord(group);
    for (let attempt = 0, failures = 0; !this.#isOver; attempt++) {
      try {
        const value = await backplane.readRecord(name);
        const record = decodeRecord(value) ?? { members: [], untold: [] };
        // The answer of an earlier attempt was lost.
        const known = by === undefined ? [] : eventsOf(record, by);
        if (known.length > 0) return known;
        const next = change(record);
        if (next === undefined) return [];
        if (await backplane.swapRecord(name, value, encodeRecord(next)))
          return by === undefined ? [] : eventsOf(next, by);
        if (attempt >= QUICK_ATTEMPTS) await retries.pause(0).over;
      } catch (error) {
        report(error, group);
        failures += 1;
        // Another process buries this one.
        if (this.#isClosing && failures >= LAST_ATTEMPTS) break;
        await retries.pause(failures - 1).over;
      }
    }
    this.#hasFailed = true;
    return undefined;
  }

  async #named(): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    await this.#forEach((name, value) => {
      if (name.startsWith("p")) ids.add(name.slice(1));
      else for (const id of processesOf(this.#decode(name, value))) ids.add(id);
    });
    return ids;
  }

  async #bury(dead: ReadonlySet<string>): Promise<void> {
    const done: Promise<boolean>[] = [];
    await this.#forEach((name, value) => {
      if (name.startsWith("p") || !processesOf(this.#decode(name, value)).some((id) => dead.has(id))) return;
      const by = this.#newCall();
      done.push(this.#window.run(1, () => this.#change(name.slice(1), burying(dead, by), by)));
    });
    if (!(await Promise.all(done)).every(Boolean))
      throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
  }

  async #forEach(use: (name: string, value: Uint8Array) => void): Promise<void> {
    const { backplane } = this.#options;
    let from: string | undefined;
    do {
      const { records, next } = await backplane.listRecords(from);
      // Other records are those of published streams.
      for (const { name, value } of records) if (/^[pg]/.test(name)) use(name, value);
      from = next;
    } while (from !== undefined && !this.#isOver);
  }

  #decode(name: string, value: Uint8Array): GroupRecord {
    const record = decodeRecord(value);
    if (record !== undefined) return record;
    this.#options.report(
      new ChannelError("BAD_DATA", "a record of the backplane is not that of a group"),
      name.slice(1),
    );
    return { members: [], untold: [] };
  }
}

/** Name of the record of a group. */
function groupRecord(group: string): string {
  return `g${group}`;
}
