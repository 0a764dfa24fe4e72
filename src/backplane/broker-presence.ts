// The members of this process in a broker. They are written when they enter, again when the broker may have lost them, and
// removed when they leave. The process renews a sign of life; without it, all processes take its members for gone.

import type { Clock, Timer } from "../base/clock.ts";
import { Queue } from "../base/queue.ts";
import type { BackplaneMember } from "./backplane.ts";

export interface PresenceOptions {
  readonly clock: Clock;
  /** Id of this process. */
  readonly processId: string;
  /** Silence after which a process counts as dead, in milliseconds. */
  readonly aliveMs: number;
  readonly onError: (error: unknown) => void;
}

interface ReleasedMember {
  readonly group: string;
  readonly key: string;
  readonly atMs: number;
}

/** Lifetime of a member in the broker, which matters when all processes have died: living ones write their members again. */
export const MEMBER_TTL_MS: number = 24 * 3_600_000;
const WRITE_AGAIN_MS = MEMBER_TTL_MS / 3;
/** Number of members that are written at once: the members of a large process would fill its connection. */
const CHUNK = 256;

export abstract class BrokerPresence {
  protected readonly options: PresenceOptions;
  /** The payloads of the members by group and key. */
  protected readonly own: Map<string, Map<string, Uint8Array>> = new Map();
  /** Members that were released, oldest first: with any, this process must count as living for a while after its end. */
  protected readonly released: Queue<ReleasedMember> = new Queue();
  readonly #link: { readonly isUp: boolean };
  #timer: Timer;
  #writtenAt: number;

  constructor(link: { readonly isUp: boolean }, options: PresenceOptions) {
    this.#link = link;
    this.options = options;
    this.#writtenAt = options.clock.now();
    this.#schedule();
  }

  /** Writes the sign of life of this process, and its members. */
  abstract announce(): Promise<void>;
  protected abstract write(group: string, member: BackplaneMember): Promise<void>;
  /** `process`: id of the process that has entered the member. */
  protected abstract remove(group: string, key: string, process: string): Promise<void>;
  /** Renews the sign of life, while there is a connection. */
  protected abstract renew(): Promise<void>;

  async enter(group: string, { key, payload }: BackplaneMember, from?: string): Promise<void> {
    let members = this.own.get(group);
    if (members === undefined) this.own.set(group, (members = new Map()));
    members.set(key, payload);
    await this.write(group, { key, payload });
    // Afterwards, so that the member is listed all the time.
    if (from !== undefined && from !== this.options.processId) await this.remove(group, key, from);
  }

  async leave(group: string, key: string): Promise<void> {
    this.#forget(group, key);
    await this.remove(group, key, this.options.processId);
  }

  /** Leaves the member in the broker. Returns the id of this process if it was a member. */
  release(group: string, key: string): string | undefined {
    if (!this.#forget(group, key)) return undefined;
    this.released.push({ group, key, atMs: this.options.clock.now() });
    return this.options.processId;
  }

  #forget(group: string, key: string): boolean {
    const members = this.own.get(group);
    if (members?.delete(key) !== true) return false;
    if (members.size === 0) this.own.delete(group);
    return true;
  }

  /** Announces the process. A lost connection reports itself, and the next one announces the process. */
  announceAgain(): void {
    this.#report(this.announce());
  }

  protected stop(): void {
    this.options.clock.clearTimer(this.#timer);
  }

  /** True if the members must be written again before they expire. */
  protected get mustWrite(): boolean {
    return this.options.clock.now() - this.#writtenAt >= WRITE_AGAIN_MS;
  }

  /** Resolves when all members are written. Rejects with the first error. */
  protected async writeAll(): Promise<void> {
    this.#writtenAt = this.options.clock.now();
    let writing: Promise<void>[] = [];
    for (const [group, members] of this.own) {
      for (const [key, payload] of members) {
        writing.push(this.write(group, { key, payload }));
        if (writing.length < CHUNK) continue;
        await Promise.all(writing);
        writing = [];
      }
    }
    await Promise.all(writing);
  }

  #schedule(): void {
    this.#timer = this.options.clock.setTimer(() => {
      this.#schedule();
      if (!this.#link.isUp) return;
      this.#report(this.#removeReleased());
      this.#report(this.renew());
    }, this.options.aliveMs / 3);
  }

  /** Removes the members that no process has entered in time: this one goes on living. */
  async #removeReleased(): Promise<void> {
    const { aliveMs, clock, processId } = this.options;
    const removed: Promise<void>[] = [];
    while (removed.length < CHUNK) {
      const first = this.released.at(0);
      if (first === undefined || clock.now() - first.atMs < aliveMs) break;
      this.released.shift();
      removed.push(this.remove(first.group, first.key, processId));
    }
    await Promise.all(removed);
  }

  #report(done: Promise<void>): void {
    done.catch((error: unknown) => {
      if (this.#link.isUp) this.options.onError(error);
    });
  }
}
