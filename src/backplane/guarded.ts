// Calls into a backplane, which may be one of the application. If it throws, rejects, or breaks the interface in another way,
// the process goes on and members notice nothing. It may keep and change the objects that it is given.

import { ChannelError } from "../base/errors.ts";
import { callSync, isYes } from "../base/guard.ts";
import type {
  Backplane,
  BackplaneEntry,
  BackplaneHistory,
  BackplaneKey,
  BackplaneListener,
  BackplaneMember,
  BackplaneRecords,
  HistoryLimits,
} from "./backplane.ts";
import { unavailable } from "./unavailable.ts";

export class GuardedBackplane {
  readonly #inner: Backplane;
  readonly #report: (error: unknown, group: string) => void;

  constructor(inner: Backplane, report: (error: unknown, group: string) => void) {
    this.#inner = inner;
    this.#report = report;
  }

  publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string> {
    return asError(async () => toId("publish", await this.#inner.publish(group, payload, keep)));
  }

  /** True if the backplane keeps last values. */
  get hasLatest(): boolean {
    const { publishLatest, latest } = this.#inner;
    return typeof publishLatest === "function" && typeof latest === "function";
  }

  publishLatest(group: string, payload: Uint8Array, keep: HistoryLimits, key: BackplaneKey): Promise<string> {
    return asError(async () => toId("publishLatest", await this.#inner.publishLatest!(group, payload, keep, key)));
  }

  latest(group: string): Promise<readonly BackplaneEntry[]> {
    return asError(async () => {
      const entries: unknown = await this.#inner.latest!(group);
      if (!Array.isArray(entries)) throw wrong("latest", entries);
      return entries.map((entry) => toEntry("latest", entry));
    });
  }

  subscribe(group: string, listener: BackplaneListener): Promise<string | undefined> {
    const careful: BackplaneListener = {
      entry: (entry) => this.#careful(group, () => listener.entry(toEntry("subscribe", entry))),
      gap: () => this.#careful(group, () => listener.gap()),
    };
    return asError(async () => {
      const position: unknown = await this.#inner.subscribe(group, careful);
      return position === undefined ? undefined : toId("subscribe", position);
    });
  }

  unsubscribe(group: string): Promise<void> {
    return asError(async () => this.#inner.unsubscribe(group));
  }

  history(group: string, since?: string): Promise<BackplaneHistory> {
    return asError(async () => {
      const found = await (since === undefined ? this.#inner.history(group) : this.#inner.history(group, since));
      if (!Array.isArray(found?.entries) || typeof found.reset !== "boolean") throw wrong("history", found);
      for (const entry of found.entries) toEntry("history", entry);
      return found;
    });
  }

  /** Returns 1 if the backplane fails to compare: an entry without an order is delivered, and the failure is reported. */
  compareIds(a: string, b: string, group: string): number {
    try {
      const order: unknown = callSync("compareIds of the backplane", () => this.#inner.compareIds(a, b));
      if (typeof order === "number" && !Number.isNaN(order)) return order;
      throw wrong("compareIds", order);
    } catch (error) {
      this.#report(error, group);
      return a === b ? 0 : 1;
    }
  }

  isId(text: string, group: string): boolean {
    return isYes(
      "isId of the backplane",
      () => this.#inner.isId(text),
      (error) => this.#report(error, group),
    );
  }

  enter(group: string, member: BackplaneMember, from?: string): Promise<void> {
    return asError(async () =>
      from === undefined ? this.#inner.enter(group, { ...member }) : this.#inner.enter(group, { ...member }, from),
    );
  }

  /** Returns undefined if the backplane cannot do it: the member is then removed when the backplane is closed. */
  release(group: string, key: string): string | undefined {
    try {
      const from: unknown = callSync("release of the backplane", () => this.#inner.release?.(group, key));
      if (from === undefined || typeof from === "string") return from;
      throw wrong("release", from);
    } catch (error) {
      this.#report(error, group);
      return undefined;
    }
  }

  leave(group: string, key: string): Promise<void> {
    return asError(async () => this.#inner.leave(group, key));
  }

  present(group: string): Promise<readonly BackplaneMember[]> {
    return asError(async () => {
      const members: unknown = await this.#inner.present(group);
      if (!Array.isArray(members)) throw wrong("present", members);
      for (const member of members) {
        if (typeof member?.key === "string" && member.payload instanceof Uint8Array) continue;
        throw wrong("present", member);
      }
      return members;
    });
  }

  /** True if the backplane has records. */
  get hasRecords(): boolean {
    const { readRecord, swapRecord, listRecords } = this.#inner;
    return [readRecord, swapRecord, listRecords].every((method) => typeof method === "function");
  }

  readRecord(name: string): Promise<Uint8Array | undefined> {
    return asError(async () => {
      const value: unknown = await this.#inner.readRecord!(name);
      if (value === undefined || value instanceof Uint8Array) return value;
      throw wrong("readRecord", value);
    });
  }

  swapRecord(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    return asError(async () => {
      const isDone: unknown = await this.#inner.swapRecord!(name, expected, next);
      if (typeof isDone === "boolean") return isDone;
      throw wrong("swapRecord", isDone);
    });
  }

  listRecords(from?: string): Promise<BackplaneRecords> {
    return asError(async () => {
      const found = await (from === undefined ? this.#inner.listRecords!() : this.#inner.listRecords!(from));
      if (!Array.isArray(found?.records)) throw wrong("listRecords", found);
      for (const record of found.records) {
        if (typeof record?.name === "string" && record.value instanceof Uint8Array) continue;
        throw wrong("listRecords", record);
      }
      if (found.next === undefined || typeof found.next === "string") return found;
      throw wrong("listRecords", found.next);
    });
  }

  close(): Promise<void> {
    return asError(async () => this.#inner.close());
  }

  /** An entry that is malformed must not throw into the backplane that delivers it. */
  #careful(group: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#report(error, group);
    }
  }
}

/** Returns the result of `run`. Rejects with the backplane's own error if it is an Error. */
async function asError<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof Error ? error : unavailable(error);
  }
}

/** Checks an id: it is written into event streams and JSON. */
function toId(method: string, id: unknown): string {
  if (typeof id === "string" && id !== "" && !/[\r\n\0]/.test(id)) return id;
  throw wrong(method, id);
}

function toEntry(method: string, entry: BackplaneEntry): BackplaneEntry {
  toId(method, entry?.id);
  if (!(entry.payload instanceof Uint8Array)) throw wrong(method, entry.payload);
  return entry;
}

function wrong(method: string, value: unknown): ChannelError {
  const text = typeof value === "string" ? JSON.stringify(value) : Object.prototype.toString.call(value);
  return new ChannelError("BAD_DATA", `${method} of the backplane gave ${Number.isNaN(value) ? "NaN" : text}`);
}
