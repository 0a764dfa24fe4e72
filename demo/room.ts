// The room: who is in it, what was said, and what somebody who comes back has missed.

import { type Channel, MemoryChannelStore, type TransportKind } from "../src/index.ts";

export interface Line {
  readonly id: number;
  readonly name: string;
  readonly text: string;
  /** How it came: the page shows it. */
  readonly via: TransportKind | "post";
}

const KEPT = 100;
const MAX_NAME = 24;
const MAX_TEXT = 500;
const ROOM = "chat";

const store = new MemoryChannelStore<string>();
/** `key`: the number that its sender gave it, with the sender's. */
const lines: { readonly line: Line; readonly key: string | undefined }[] = [];
/** After a restart numbers go on behind those of before: nobody who comes back has one of a line that is still to be said. */
let lastId = Date.now();

/** `visitor`: by which `channelsOf` finds the channel. */
export function enter(channel: Channel, visitor?: string): void {
  store.addToGroup(ROOM, channel, visitor);
}

/** The channels of a visitor. */
export function channelsOf(visitor: string): Channel[] {
  return store.members(ROOM).flatMap(([channel, of]) => (of === visitor ? [channel] : []));
}

/** The lines after the one with the id `since`, the last that the client has. Without `since`: none, only new lines count. */
export function missedSince(since: string | null): Line[] {
  const after = Number(since ?? lastId);
  return lines.flatMap(({ line }) => (line.id > after ? [line] : []));
}

/**
 * Adds a line and tells everybody: who waits in a poll is answered, the others get one more message. Returns how many heard
 * it. What has the `key` of a line that is kept was said before, and is not said again.
 */
export function say(name: string, text: string, via: Line["via"], key?: string): number {
  if (key !== undefined && lines.some((said) => said.key === key)) return 0;
  lastId += 1;
  const line = { id: lastId, name: name.trim().slice(0, MAX_NAME) || "guest", text: text.slice(0, MAX_TEXT), via };
  lines.push({ line, key });
  if (lines.length > KEPT) lines.shift();
  return store.broadcast(ROOM, [line]);
}
