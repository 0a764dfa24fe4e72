// The numbers of members of each process, kept at the backplane: a record for each group that has members in this process. It is
// written at most once in a second, however many members come and go, and expires with the process.

import type { Backplane } from "../../backplane/backplane.ts";
import { ByteWindow } from "../../backplane/byte-window.ts";
import { orUnavailable } from "../../backplane/unavailable.ts";
import { utf8, utf8Bytes } from "../../base/bytes.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import { nodeCrypto } from "../../transport/node-modules.ts";
import { countedGroup } from "../own-groups.ts";

/** Least time between two writings. */
const WRITE_MS = 1000;
/** Records that are written at once. */
const MAX_WRITES = 64;

export class Counts {
  readonly #backplane: Pick<Backplane, "enter" | "leave" | "present">;
  readonly #clock: Clock;
  readonly #report: (error: unknown, group: string) => void;
  /** Key of the records of this store. */
  readonly #key: string = nodeCrypto().randomBytes(8).toString("hex");
  /** Sizes that the backplane does not have yet, by group. */
  #unwritten = new Map<string, number>();
  #timer: Timer;
  #isWriting = false;
  #isClosed = false;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(
    backplane: Pick<Backplane, "enter" | "leave" | "present">,
    clock: Clock,
    report: (error: unknown, group: string) => void,
  ) {
    this.#backplane = backplane;
    this.#clock = clock;
    this.#report = report;
  }

  /** Records the number of members that a group has in this process. */
  changed(group: string, size: number): void {
    if (this.#isClosed) return;
    this.#unwritten.set(group, size);
    this.#schedule();
  }

  /** Resolves to the number of members in all living processes; `own`: those in this one. Rejects with BACKPLANE_UNAVAILABLE. */
  async count(group: string, own: number): Promise<number> {
    const records = await orUnavailable(() => this.#backplane.present(countedGroup(group)));
    let sum = own;
    for (const { key, payload } of records) {
      if (key === this.#key) continue;
      const text = utf8(payload);
      if (/^\d{1,15}$/.test(text)) sum += Number(text);
      else this.#report(new ChannelError("BAD_DATA", "the number of members in the backplane is not a number"), group);
    }
    return sum;
  }

  /** Writes nothing more. The backplane removes the records of this process when it is closed. */
  close(): void {
    this.#isClosed = true;
    this.#clock.clearTimer(this.#timer);
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#isWriting || this.#isClosed || this.#unwritten.size === 0) return;
    const waitMs = Math.max(0, this.#writtenAt + WRITE_MS - this.#clock.now());
    this.#timer = this.#clock.setTimer(() => void this.#writeAll(), waitMs);
  }

  async #writeAll(): Promise<void> {
    this.#timer = undefined;
    this.#isWriting = true;
    const sizes = this.#unwritten;
    this.#unwritten = new Map();
    const window = new ByteWindow(MAX_WRITES);
    let failure: readonly [error: unknown, group: string] | undefined;
    const write = async (group: string, size: number): Promise<void> => {
      try {
        await this.#write(group, size);
      } catch (error) {
        failure ??= [error, group];
        // A newer size counts.
        if (!this.#unwritten.has(group)) this.#unwritten.set(group, size);
      }
    };
    await Promise.all([...sizes].map(([group, size]) => window.run(1, () => write(group, size))));
    if (failure !== undefined && !this.#isClosed) this.#report(...failure);
    this.#isWriting = false;
    this.#writtenAt = this.#clock.now();
    this.#schedule();
  }

  #write(group: string, size: number): Promise<void> {
    const name = countedGroup(group);
    if (size === 0) return this.#backplane.leave(name, this.#key);
    return this.#backplane.enter(name, { key: this.#key, payload: utf8Bytes(String(size)) });
  }
}
