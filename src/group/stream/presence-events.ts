// Tells the processes that watch the presence of a group who has entered and left in this process. Nothing is published while
// nobody watches: this process asks at most once in a second. Events that are lost are not repeated: a watcher also reads the
// list of all members from time to time.

import type { Backplane, HistoryLimits } from "../../backplane/backplane.ts";
import { ByteWindow } from "../../backplane/byte-window.ts";
import { utf8, utf8Bytes } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { WATCHERS, watchedGroup } from "../own-groups.ts";

/** A member has entered, with its info as JSON, or has left. */
export type PresenceEvent = readonly [key: string, info: string] | readonly [key: string];

/** Time for which an answer to the question whether anybody watches is used. */
export const ASK_AGAIN_MS = 1000;
/** Events of one message, and their length together. */
const MAX_EVENTS = 500;
const MAX_LENGTH = 64 * 1024;
/** Events of one group that wait for the broker; further ones are dropped. */
const MAX_WAITING = 20_000;
/** Groups whose answer is remembered. */
const MAX_GROUPS = 10_000;
/** Groups that are told at once. */
const MAX_SENDING = 32;

interface Told {
  readonly waiting: PresenceEvent[];
  isSending: boolean;
}

export class PresenceEvents {
  readonly #backplane: Pick<Backplane, "publish" | "present">;
  readonly #clock: Clock;
  readonly #keep: HistoryLimits;
  readonly #byGroup = new Map<string, Told>();
  readonly #window = new ByteWindow(MAX_SENDING);
  /** Answers to the question whether a group of watchers has members. */
  readonly #answers = new Map<string, { readonly atMs: number; readonly isWatched: boolean }>();

  constructor(backplane: Pick<Backplane, "publish" | "present">, clock: Clock, keep: HistoryLimits) {
    this.#backplane = backplane;
    this.#clock = clock;
    this.#keep = keep;
  }

  /** Call it when the backplane has the change. */
  add(group: string, event: PresenceEvent): void {
    let told = this.#byGroup.get(group);
    if (told === undefined) this.#byGroup.set(group, (told = { waiting: [], isSending: false }));
    if (told.waiting.length < MAX_WAITING) told.waiting.push(event);
    if (told.isSending) return;
    told.isSending = true;
    // Later: the members of one turn are one message.
    setImmediate(() => void this.#window.run(1, () => this.#sendAll(group, told)));
  }

  async #sendAll(group: string, { waiting }: Told): Promise<void> {
    try {
      while (waiting.length > 0) {
        if (!(await this.#isWatched(WATCHERS)) || !(await this.#isWatched(watchedGroup(group)))) break;
        let length = 0;
        let count = 0;
        while (count < waiting.length && count < MAX_EVENTS && (count === 0 || length < MAX_LENGTH)) {
          for (const text of waiting[count]!) length += text.length;
          count += 1;
        }
        const payload = utf8Bytes(JSON.stringify(waiting.splice(0, count)));
        await this.#backplane.publish(watchedGroup(group), payload, this.#keep);
      }
    } catch {
      // The watchers read the list of all members.
    }
    this.#byGroup.delete(group);
  }

  async #isWatched(name: string): Promise<boolean> {
    const now = this.#clock.now();
    const known = this.#answers.get(name);
    if (known !== undefined && now - known.atMs < ASK_AGAIN_MS) return known.isWatched;
    if (this.#answers.size >= MAX_GROUPS) this.#answers.clear();
    const isWatched = (await this.#backplane.present(name)).length > 0;
    this.#answers.set(name, { atMs: now, isWatched });
    return isWatched;
  }
}

/** Returns undefined for bytes that no store has written. */
export function decodeEvents(payload: Uint8Array): readonly PresenceEvent[] | undefined {
  try {
    const events: unknown = JSON.parse(utf8(payload));
    return Array.isArray(events) && events.every(isEvent) ? events : undefined;
  } catch {
    return undefined;
  }
}

function isEvent(event: unknown): boolean {
  if (!Array.isArray(event) || event.length < 1 || event.length > 2) return false;
  if (!event.every((text) => typeof text === "string")) return false;
  // Throws for an info that is not JSON.
  for (const info of event.slice(1)) JSON.parse(info as string);
  return true;
}
