// Keeps the members of this process listed at the backplane: one call at a time for each member, repeated until it succeeds or
// the member has left.

import type { BackplaneMember } from "../../backplane/backplane.ts";
import type { GuardedBackplane } from "../../backplane/guarded.ts";
import type { Retries } from "./retries.ts";

type Leavable = Pick<GuardedBackplane, "enter" | "leave" | "release">;

export interface PresenceKeeperOptions {
  report(error: unknown, group: string): void;
  /** The backplane has a member. */
  entered(group: string, member: BackplaneMember): void;
  /** The backplane has it no longer. */
  left(group: string, key: string): void;
}

/** Members that have left while the backplane could not be reached; further ones are listed until this process ends. */
const MAX_OWED = 100_000;
/** Members that leave at once, when the backplane may be reached again. */
const OWED_AT_ONCE = 64;

interface ListedMember {
  readonly group: string;
  member: BackplaneMember;
  /** Text of the process from which it has moved; undefined for most members. */
  from: string | undefined;
  /** The last call for this member. The next one follows it. */
  done: Promise<void>;
  hasLeft: boolean;
}

export class PresenceKeeper {
  readonly #backplane: Leavable;
  readonly #retries: Retries;
  readonly #options: PresenceKeeperOptions;
  readonly #byKey = new Map<string, ListedMember>();
  /** Groups of the members that have left while the backplane could not be reached, by key. */
  readonly #owed = new Map<string, string>();
  #isRepaying = false;

  constructor(backplane: Leavable, retries: Retries, options: PresenceKeeperOptions) {
    this.#backplane = backplane;
    this.#retries = retries;
    this.#options = options;
  }

  /** `from`: the result of `release` in the process from which it has moved. */
  enter(group: string, member: BackplaneMember, from?: string): void {
    const listed = this.#byKey.get(member.key) ?? { group, member, from, done: Promise.resolve(), hasLeft: false };
    listed.member = member;
    this.#owed.delete(member.key);
    this.#byKey.set(member.key, listed);
    listed.done = listed.done.then(() => this.#enter(listed));
  }

  leave(group: string, key: string): void {
    const listed = this.#byKey.get(key);
    if (listed === undefined) return;
    this.#byKey.delete(key);
    listed.hasLeft = true;
    listed.done = listed.done
      .then(() => this.#leave(group, key))
      .then((isDone) => {
        if (!isDone) this.#owe(group, key);
      });
  }

  /** Never rejects. Resolves to false if it has failed. */
  async #leave(group: string, key: string): Promise<boolean> {
    try {
      await this.#backplane.leave(group, key);
    } catch (error) {
      this.#options.report(error, group);
      return false;
    }
    this.#options.left(group, key);
    return true;
  }

  /** The member is listed until the backplane has been told: it is told again. */
  #owe(group: string, key: string): void {
    if (this.#byKey.has(key) || this.#owed.size >= MAX_OWED) return;
    this.#owed.set(key, group);
    if (this.#isRepaying) return;
    this.#isRepaying = true;
    void this.#repay();
  }

  async #repay(): Promise<void> {
    for (let attempt = 0; this.#owed.size > 0 && !this.#retries.isClosed; attempt++) {
      await this.#retries.pause(attempt).over;
      let isReached = true;
      while (isReached && this.#owed.size > 0 && !this.#retries.isClosed) {
        const some: [key: string, group: string][] = [];
        for (const each of this.#owed) if (some.push(each) === OWED_AT_ONCE) break;
        const calls = some.map(async ([key, group]) => {
          if (await this.#leave(group, key)) this.#owed.delete(key);
          else isReached = false;
        });
        await Promise.all(calls);
      }
    }
    this.#isRepaying = false;
  }

  /** The member goes on in another process, which enters it again. Returns a text for that process, if it needs one. */
  release(group: string, key: string): string | undefined {
    const listed = this.#byKey.get(key);
    if (listed === undefined) return undefined;
    this.#byKey.delete(key);
    listed.hasLeft = true;
    return this.#backplane.release(group, key);
  }

  /** Makes all members leave. */
  async close(): Promise<void> {
    const present = [...this.#byKey.values()];
    for (const { group, member } of present) this.leave(group, member.key);
    await Promise.all(present.map(({ done }) => done));
  }

  async #enter(listed: ListedMember): Promise<void> {
    for (let attempt = 0; !listed.hasLeft && !this.#retries.isClosed; attempt++) {
      try {
        const { group, member, from } = listed;
        await this.#backplane.enter(group, member, from);
        listed.from = undefined;
        this.#options.entered(group, member);
        return;
      } catch (error) {
        this.#options.report(error, listed.group);
        await this.#retries.pause(attempt).over;
      }
    }
  }
}
