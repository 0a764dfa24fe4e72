// A backplane whose every answer comes late, in random order, and the random numbers for it.

import assert from "node:assert/strict";
import type { Backplane, BackplaneListener } from "../../src/index.ts";

/** Marsaglia's xorshift: returns numbers from 0 up to 1. */
export function chance(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** A random moment: now, some microtasks later, or some turns later. */
export async function late(random: () => number): Promise<void> {
  const kind = random();
  if (kind < 0.3) return;
  if (kind < 0.7) for (let i = random() * 10; i > 0; i--) await undefined;
  else for (let i = random() * 4; i > 0; i--) await new Promise(setImmediate);
}

/** A backplane whose calls arrive late and are answered late. The entries of a stream come late too, but in order. */
export class LateBackplane implements Backplane {
  readonly #inner: Backplane;
  readonly #random: () => number;
  /** Probability of a failure. */
  readonly #failures: number;
  readonly #cancelled = new Map<string, () => void>();

  constructor(inner: Backplane, random: () => number, failures = 0) {
    this.#inner = inner;
    this.#random = random;
    this.#failures = failures;
  }

  /** Published messages keep their order, as on one connection. */
  #publishing: Promise<unknown> = Promise.resolve();

  publish(group: string, payload: Uint8Array, keep: { size: number; ttlMs: number }): Promise<string> {
    const published = this.#publishing
      .then(() => late(this.#random))
      .then(() => this.#inner.publish(group, payload, keep));
    this.#publishing = published;
    return published.then(async (id) => {
      await late(this.#random);
      return id;
    });
  }

  publishLatest(...args: Parameters<NonNullable<Backplane["publishLatest"]>>): Promise<string> {
    const published = this.#publishing.then(() => late(this.#random)).then(() => this.#inner.publishLatest!(...args));
    this.#publishing = published;
    return published.then(async (id) => {
      await late(this.#random);
      return id;
    });
  }

  async latest(group: string): ReturnType<NonNullable<Backplane["latest"]>> {
    await late(this.#random);
    if (this.#random() < this.#failures) throw new Error("not now");
    const values = await this.#inner.latest!(group);
    await late(this.#random);
    return values;
  }

  async subscribe(group: string, listener: BackplaneListener): Promise<string | undefined> {
    await late(this.#random);
    if (this.#random() < this.#failures) throw new Error("not now");
    let isCancelled = false;
    this.#cancelled.set(group, () => {
      isCancelled = true;
    });
    let last: Promise<void> = Promise.resolve();
    const position = await this.#inner.subscribe(group, {
      entry: (entry) => {
        last = last.then(() => late(this.#random)).then(() => (isCancelled ? undefined : listener.entry(entry)));
      },
      gap: () => assert.fail("memory has no gaps"),
    });
    await late(this.#random);
    return position;
  }

  async unsubscribe(group: string): Promise<void> {
    this.#cancelled.get(group)?.();
    await late(this.#random);
    await this.#inner.unsubscribe(group);
    await late(this.#random);
  }

  async history(group: string, since?: string): ReturnType<Backplane["history"]> {
    await late(this.#random);
    if (this.#random() < this.#failures) throw new Error("not now");
    const history = await this.#inner.history(group, since);
    await late(this.#random);
    return history;
  }

  compareIds = (a: string, b: string): number => this.#inner.compareIds(a, b);
  isId = (text: string): boolean => this.#inner.isId(text);
  enter = (group: string, member: { key: string; payload: Uint8Array }): Promise<void> =>
    this.#inner.enter(group, member);
  leave = (group: string, key: string): Promise<void> => this.#inner.leave(group, key);
  present = (group: string): ReturnType<Backplane["present"]> => this.#inner.present(group);
  release = (group: string, key: string): string | undefined => this.#inner.release?.(group, key);

  async readRecord(name: string): Promise<Uint8Array | undefined> {
    await late(this.#random);
    if (this.#random() < this.#failures) throw new Error("not now");
    const value = await this.#inner.readRecord!(name);
    await late(this.#random);
    return value;
  }

  /** A failure may come before or after the record was written. */
  async swapRecord(name: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    await late(this.#random);
    if (this.#random() < this.#failures / 2) throw new Error("not now");
    const isDone = await this.#inner.swapRecord!(name, expected, next);
    await late(this.#random);
    if (this.#random() < this.#failures) throw new Error("the answer is lost");
    return isDone;
  }

  async listRecords(from?: string): ReturnType<NonNullable<Backplane["listRecords"]>> {
    await late(this.#random);
    return this.#inner.listRecords!(from);
  }

  close = (): Promise<void> => this.#inner.close();
}
