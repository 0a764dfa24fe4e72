// Keeps the members of this process listed at the backplane: one call at a time for each member, repeated until it succeeds or
// the member has left.

import type { Backplane, BackplaneMember } from "../../backplane/backplane.ts";
import type { Retries } from "./retries.ts";

type Leavable = Pick<Backplane, "enter" | "leave">;

interface ListedMember {
  readonly group: string;
  member: BackplaneMember;
  /** The last call for this member. The next one follows it. */
  done: Promise<void>;
  hasLeft: boolean;
}

export class PresenceKeeper {
  readonly #backplane: Leavable;
  readonly #retries: Retries;
  readonly #report: (error: unknown, group: string) => void;
  readonly #byKey = new Map<string, ListedMember>();

  constructor(backplane: Leavable, retries: Retries, report: (error: unknown, group: string) => void) {
    this.#backplane = backplane;
    this.#retries = retries;
    this.#report = report;
  }

  enter(group: string, member: BackplaneMember): void {
    const listed = this.#byKey.get(member.key) ?? { group, member, done: Promise.resolve(), hasLeft: false };
    listed.member = member;
    this.#byKey.set(member.key, listed);
    listed.done = listed.done.then(() => this.#enter(listed));
  }

  leave(group: string, key: string): void {
    const listed = this.#byKey.get(key);
    if (listed === undefined) return;
    this.#byKey.delete(key);
    listed.hasLeft = true;
    listed.done = listed.done
      .then(() => this.#backplane.leave(group, key))
      .catch((error) => this.#report(error, group));
  }

  /** The member goes on in another process, which enters it again. */
  release(key: string): void {
    const presence = this.#byKey.get(key);
    this.#byKey.delete(key);
    if (presence !== undefined) presence.hasLeft = true;
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
        return await this.#backplane.enter(listed.group, listed.member);
      } catch (error) {
        this.#report(error, listed.group);
        await this.#retries.pause(attempt).over;
      }
    }
  }
}
