// The members of a group that are listed as present, as the watchers of one process see them. Each watcher is told of every change.

import { guard } from "../base/guard.ts";
import type { PresenceHandlers, PresentMember } from "./channel-store.ts";

export class PresenceView {
  readonly group: string;
  readonly #report: (error: unknown, group: string) => void;
  /** The info of each member as JSON, by key. */
  readonly #members = new Map<string, string>();
  /** Members that the last list of the backplane did not have. */
  #missing = new Set<string>();
  readonly #watchers = new Set<PresenceHandlers>();

  constructor(group: string, report: (error: unknown, group: string) => void) {
    this.group = group;
    this.#report = report;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  /** Adds a watcher, which is told of all members that are known. */
  add(watcher: PresenceHandlers): void {
    const known = [...this.#members];
    this.#watchers.add(watcher);
    for (const [key, info] of known) this.#tell(watcher, "enter", { key, info });
  }

  delete(watcher: PresenceHandlers): void {
    this.#watchers.delete(watcher);
  }

  entered(key: string, info: string): void {
    const before = this.#members.get(key);
    this.#missing.delete(key);
    if (before === info) return;
    this.#members.set(key, info);
    this.#tellAll(before === undefined ? "enter" : "change", { key, info });
  }

  left(key: string): void {
    const info = this.#members.get(key);
    this.#missing.delete(key);
    if (info === undefined) return;
    this.#members.delete(key);
    this.#tellAll("leave", { key, info });
  }

  /**
   * Takes over a list of all members. A member leaves when two lists in succession lack it: a broker that has lost its data gets
   * the members again from their processes. Returns true if the next list should follow soon.
   */
  listed(members: ReadonlyMap<string, string>): boolean {
    for (const [key, info] of members) this.entered(key, info);
    const missing = new Set<string>();
    for (const key of [...this.#members.keys()]) {
      if (members.has(key)) continue;
      if (this.#missing.has(key)) this.left(key);
      else missing.add(key);
    }
    this.#missing = missing;
    return missing.size > 0;
  }

  #tellAll(event: keyof PresenceHandlers, member: { readonly key: string; readonly info: string }): void {
    for (const watcher of [...this.#watchers]) this.#tell(watcher, event, member);
  }

  #tell(watcher: PresenceHandlers, event: keyof PresenceHandlers, { key, info }: { key: string; info: string }): void {
    const handler = watcher[event];
    if (handler === undefined || !this.#watchers.has(watcher)) return;
    const member: PresentMember = { key, info: JSON.parse(info) as unknown };
    void guard(
      () => handler(member),
      (error) => this.#report(error, this.group),
    );
  }
}
