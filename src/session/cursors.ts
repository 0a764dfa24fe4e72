// The cursors of a client that has lost its session. They arrive in `since` records and wait for the application to add the
// channel to their groups. Their number and their memory are bounded: those beyond count as forgotten.

import { memorySize } from "../base/memory-size.ts";
import type { SinceRecord } from "../codec/session-record.ts";
import type { GroupCursors } from "../transport/group-cursors.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/** Most cursors of one session, … */
export const MAX_CURSORS = 512;
/** … and most memory of their names and ids, in bytes. */
export const MAX_CURSOR_BYTES = 65_536;

/** Cursors on their way to another process: JSON. */
export interface CursorsSnapshot {
  readonly areAwaited: boolean;
  readonly areIncomplete: boolean;
  readonly ids: readonly (readonly [group: string, id: string])[];
}

export class Cursors implements GroupCursors {
  areAwaited: boolean;
  areIncomplete = false;
  readonly #ids = new Map<string, string>();
  /** The memory of clients' data in all sessions: cursors are a part of it. */
  readonly #budget: BufferBudget;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(expected: "none" | "awaited", budget: BufferBudget) {
    this.areAwaited = expected === "awaited";
    this.#budget = budget;
  }

  static restore({ areAwaited, areIncomplete, ids }: CursorsSnapshot, budget: BufferBudget): Cursors {
    const cursors = new Cursors(areAwaited ? "awaited" : "none", budget);
    cursors.areIncomplete = areIncomplete;
    for (const [group, id] of ids) cursors.#set(group, id);
    return cursors;
  }

  whenTold(fn: () => void): void {
    if (this.areAwaited) this.#waiting.push(fn);
    else fn();
  }

  take(group: string): string | undefined {
    const id = this.#ids.get(group);
    if (id === undefined) return undefined;
    this.#ids.delete(group);
    this.#setBytes(this.#bytes - sizeOf(group, id));
    return id;
  }

  /** The client tells a cursor, or with a record without a group that it has told all. Ignored if nothing is awaited. */
  tell({ group, id = "", forgotten }: SinceRecord): void {
    if (!this.areAwaited) return;
    if (group !== undefined) {
      this.#set(group, id);
      return;
    }
    this.areAwaited = false;
    this.areIncomplete ||= forgotten === true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const fn of waiting) fn();
  }

  snapshot(): CursorsSnapshot {
    const { areAwaited, areIncomplete } = this;
    return { areAwaited, areIncomplete, ids: [...this.#ids] };
  }

  /** The session is over. */
  clear(): void {
    this.#ids.clear();
    this.#waiting = [];
    this.#setBytes(0);
  }

  #set(group: string, id: string): void {
    const size = sizeOf(group, id);
    const isFull = this.#ids.size >= MAX_CURSORS || this.#bytes + size > MAX_CURSOR_BYTES;
    const isTooMuch = this.#budget.isExceeded && this.#budget.isShareSpent(this.#bytes + size);
    if (isFull || isTooMuch || this.#ids.has(group)) {
      this.areIncomplete ||= isFull || isTooMuch;
      return;
    }
    this.#ids.set(group, id);
    this.#setBytes(this.#bytes + size);
  }

  #setBytes(bytes: number): void {
    this.#budget.change(this.#bytes, bytes);
    this.#bytes = bytes;
  }
}

function sizeOf(group: string, id: string): number {
  return memorySize(group) + memorySize(id);
}
