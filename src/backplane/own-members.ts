// The members of this process in a broker. All of them are written again when the broker may have lost them.

import type { BackplaneMember } from "./backplane.ts";

/** Number of members that are written at once: the members of a large process would fill its connection. */
const CHUNK = 256;

export class OwnMembers {
  readonly #payloads = new Map<string, Map<string, Uint8Array>>();

  get isEmpty(): boolean {
    return this.#payloads.size === 0;
  }

  get groups(): readonly string[] {
    return [...this.#payloads.keys()];
  }

  keys(group: string): readonly string[] {
    return [...(this.#payloads.get(group)?.keys() ?? [])];
  }

  add(group: string, { key, payload }: BackplaneMember): void {
    let members = this.#payloads.get(group);
    if (members === undefined) this.#payloads.set(group, (members = new Map()));
    members.set(key, payload);
  }

  delete(group: string, key: string): void {
    const members = this.#payloads.get(group);
    if (members?.delete(key) && members.size === 0) this.#payloads.delete(group);
  }

  /** Resolves when all members are written. Rejects with the first error. */
  async writeAll(write: (group: string, member: BackplaneMember) => Promise<void>): Promise<void> {
    let writing: Promise<void>[] = [];
    for (const [group, members] of this.#payloads) {
      for (const [key, payload] of members) {
        writing.push(write(group, { key, payload }));
        if (writing.length < CHUNK) continue;
        await Promise.all(writing);
        writing = [];
      }
    }
    await Promise.all(writing);
  }
}
