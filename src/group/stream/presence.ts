// Keeps the members of this process listed at the backplane: one call at a time for each member, repeated until it succeeds or
// the member has left.

import type { Backplane, BackplaneMember } from "../../backplane/backplane.ts";
import type { Retries } from "./retries.ts";

type Leavable = Pick<Backplane, "enter" | "leave">;

interface Presence {
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
  readonly #byKey = new Map<string, Presence>();

  constructor(backplane: Leavable, retries: Retries, report: (error: unknown, group: string) => void) {
    this.#backplane = backplane;
    this.#retries = retries;
    this.#report = report;
  }

  enter(group: string, member: BackplaneMember): void {
    const presence = this.#byKey.get(member.key) ?? { group, member, done: Promise.resolve(), hasLeft: false };
    presence.member = member;
    this.#byKey.set(member.key, presence);
    presence.done = presence.done.then(() => this.#enter(presence));
  }

  leave(group: string, key: string): void {
    const presence = this.#byKey.get(key);
    if (presence === undefined) return;
    this.#byKey.delete(key);
    presence.hasLeft = true;
    presence.done = presence.done
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

  async #enter(presence: Presence): Promise<void> {
    for (let attempt = 0; !presence.hasLeft && !this.#retries.isClosed; attempt++) {
      try {
        return await this.#backplane.enter(presence.group, presence.member);
      } catch (error) {
        this.#report(error, presence.group);
        await this.#retries.pause(attempt).over;
      }
    }
  }
}
