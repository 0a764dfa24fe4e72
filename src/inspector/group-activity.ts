// The messages of the groups of one store: how many each group gets, and the latest of the groups at which somebody looks. It
// listens to the store only while somebody looks at the inspector.

import type { GroupStore } from "../group/group-store.ts";
import type { GroupEntry } from "../group/message.ts";
import type { MessagePreview } from "./page/wire.ts";
import { Ring } from "./ring.ts";

/** Groups whose messages are counted. */
export const MAX_COUNTED = 20_000;
/** Latest messages of a group that is shown. */
export const MAX_MESSAGES = 30;
/** Groups whose messages are kept, the latest at which somebody looked. */
const MAX_KEPT = 20;
const MAX_TEXT = 300;
/** Weight of the newest second in a rate, so that it is steady enough to be read. */
const WEIGHT = 0.4;
/** Below this a rate is shown, and forgotten, as zero. */
const LEAST_RATE = 0.05;

interface Counted {
  /** Messages in this second. */
  count: number;
  rate: number;
}

export class GroupActivity {
  readonly #store: GroupStore;
  readonly #now: () => number;
  readonly #counted = new Map<string, Counted>();
  readonly #messages = new Map<string, Ring<MessagePreview>>();
  #unwatch: (() => void) | undefined;

  constructor(store: GroupStore, now: () => number) {
    this.#store = store;
    this.#now = now;
  }

  start(): void {
    this.#unwatch ??= this.#store.watched.watch((group, entry) => this.#received(group, entry));
  }

  stop(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#counted.clear();
    this.#messages.clear();
  }

  /** Called once a second. */
  tick(elapsedMs: number): void {
    for (const [group, counted] of this.#counted) {
      counted.rate += WEIGHT * ((counted.count * 1000) / elapsedMs - counted.rate);
      counted.count = 0;
      if (counted.rate < LEAST_RATE) this.#counted.delete(group);
    }
  }

  /** Messages per second. */
  rateOf(group: string): number {
    return Math.round((this.#counted.get(group)?.rate ?? 0) * 10) / 10;
  }

  /** The latest messages of a group, newest first. The first call reads them from its history. */
  messagesOf(group: string): readonly MessagePreview[] {
    const known = this.#messages.get(group);
    if (known !== undefined) {
      // The group at which nobody has looked for longest is first.
      this.#messages.delete(group);
      this.#messages.set(group, known);
      return [...known.latest()].reverse();
    }
    const ring = new Ring<MessagePreview>(MAX_MESSAGES);
    this.#messages.set(group, ring);
    if (this.#messages.size > MAX_KEPT) this.#messages.delete(this.#messages.keys().next().value!);
    // A broker that cannot be reached, or a value that has no text, leaves the list as it is.
    this.#readHistory(group, ring).catch(() => {});
    return [];
  }

  async #readHistory(group: string, ring: Ring<MessagePreview>): Promise<void> {
    const { messages } = await this.#store.history(group);
    const since = ring.latest();
    const old = messages
      .slice(-MAX_MESSAGES)
      .filter(({ id }) => !since.some((one) => one.id === id))
      .map(({ id, data, event = "" }) => ({ id, event: beginning(event), ...shorten(toText(data)) }));
    const whole = new Ring<MessagePreview>(MAX_MESSAGES);
    for (const message of [...old, ...since]) whole.push(message);
    if (this.#messages.get(group) === ring) this.#messages.set(group, whole);
  }

  #received(group: string, entry: GroupEntry): void {
    const counted = this.#counted.get(group);
    if (counted !== undefined) counted.count += 1;
    else if (this.#counted.size < MAX_COUNTED) this.#counted.set(group, { count: 1, rate: 0 });
    this.#messages.get(group)?.push(preview(entry, this.#now()));
  }
}

function preview({ id, published }: GroupEntry, at: number): MessagePreview {
  return { id, at, event: beginning(published.event?.event ?? ""), ...shorten(published.body) };
}

function toText(data: unknown): string | Uint8Array {
  if (typeof data === "string" || data instanceof Uint8Array) return data;
  return JSON.stringify(data);
}

/** The beginning as a copy: a part of a long text would keep all of it in memory. */
function shorten(body: string | Uint8Array): Pick<MessagePreview, "text" | "bytes"> {
  if (typeof body !== "string") {
    const shown = Buffer.from(body.subarray(0, MAX_TEXT / 6)).toString("hex");
    return { text: `0x${shown}${body.length > MAX_TEXT / 6 ? "…" : ""}`, bytes: body.length };
  }
  return { text: beginning(body), bytes: Buffer.byteLength(body) };
}

function beginning(text: string): string {
  return text.length > MAX_TEXT ? `${Buffer.from(text.slice(0, MAX_TEXT)).toString()}…` : text;
}
