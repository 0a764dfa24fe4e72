// The members of this process at the hub. The hub removes them when the connection ends, and they are entered again with the next.

import type { BackplaneMember } from "../backplane.ts";
import type { HubLink } from "./hub-link.ts";
import { CALL } from "./kinds.ts";

export class HubPresence {
  readonly #link: HubLink;
  /** The payloads of the members by group and key. */
  readonly #own = new Map<string, Map<string, Uint8Array>>();

  constructor(link: HubLink) {
    this.#link = link;
  }

  /** Enters all members again. */
  announce(): void {
    for (const [group, members] of this.#own) {
      // A connection that is lost meanwhile is replaced by one that announces them again.
      for (const [key, payload] of members) this.#write(group, { key, payload }, 0).catch(() => {});
    }
  }

  enter(group: string, { key, payload }: BackplaneMember): Promise<void> {
    let members = this.#own.get(group);
    if (members === undefined) this.#own.set(group, (members = new Map()));
    members.set(key, payload);
    return this.#write(group, { key, payload }, payload.length + group.length + key.length);
  }

  leave(group: string, key: string): Promise<void> {
    this.#forget(group, key);
    return this.#link.call(CALL.LEAVE, (writer) => writer.text(group).text(key), nothing);
  }

  /** The hub has no names for processes: any text tells another one that the member was released. */
  release(group: string, key: string): string | undefined {
    if (!this.#forget(group, key) || !this.#link.isUp) return undefined;
    this.#link.call(CALL.RELEASE, (writer) => writer.text(group).text(key), nothing, { bytes: 0 }).catch(() => {});
    return "released";
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    const members: BackplaneMember[] = [];
    await this.#link.call(CALL.PRESENT, (writer) => writer.text(group), nothing, {
      part(fields) {
        while (fields.hasMore) members.push({ key: fields.text(), payload: fields.bytes() });
      },
    });
    return members;
  }

  #write(group: string, { key, payload }: BackplaneMember, bytes: number): Promise<void> {
    return this.#link.call(CALL.ENTER, (writer) => writer.text(group).text(key).bytes(payload), nothing, { bytes });
  }

  #forget(group: string, key: string): boolean {
    const members = this.#own.get(group);
    if (members?.delete(key) !== true) return false;
    if (members.size === 0) this.#own.delete(group);
    return true;
  }
}

function nothing(): void {}
