// The room: its channels, its latest lines, and the lines that a returning client has missed.

import { type Channel, json, MemoryChannelStore, type TransportKind } from "../src/index.ts";

export interface Line {
  readonly id: number;
  readonly name: string;
  readonly text: string;
  /** The transport that brought it; shown on the page. */
  readonly via: TransportKind | "post";
}

const KEPT = 100;
/** The time between two numbers that the room counts for its pages. */
const COUNT_MS = 500;
/** A page without numbers begins with so many: those before it came. */
const EARLIER = 12;
const MAX_NAME = 24;
const MAX_TEXT = 500;
const ROOM = "chat";
/** The group of the pages, which get the numbers and are told of deploys. */
const PAGES = "pages";

/** With a history: while a session moves to another server, lines are said and numbers are counted. */
export const room: MemoryChannelStore<string> = new MemoryChannelStore({ history: { size: 500, ttlMs: 60_000 } });
/** `key`: the sender and the sender's number for the line. */
const lines: { readonly line: Line; readonly key: string | undefined }[] = [];
/** Starts at the current time, so that ids are greater than those before a restart. */
let lastId = Date.now();

/**
 * Adds a channel to the room. `visitor`: the key for `channelsOf`. `since: null`: the lines before are sent as one message, by
 * `missedSince`.
 */
export function enter(channel: Channel, visitor?: string): void {
  room.addToGroup(ROOM, channel, visitor, { since: null });
}

/** The newest number that was counted, and when. */
let counted = 0;
let countedAt = Date.now();

/**
 * Adds a page to the room. It first gets the numbers after `last`, the last one that it has; null: it has none. If they are no longer kept,
 * it is told which ones are gone.
 */
export function enterPage(channel: Channel, visitor: string, last: string | null): void {
  enter(channel, visitor);
  // A page that has a greater number has seen another process count: it begins anew.
  const isKnown = last !== null && Number(last) <= counted;
  const from = Math.max(isKnown ? Number(last) : counted - EARLIER, counted - KEPT, 0);
  if (isKnown && from > Number(last)) channel.send(JSON.stringify({ goneTo: from }));
  for (let n = from + 1; n <= counted; n++) {
    channel.send(JSON.stringify({ count: n, at: countedAt - (counted - n) * COUNT_MS }));
  }
  room.addToGroup(PAGES, channel, undefined, { since: null });
}

/** Sends the next number to all pages, wherever their sessions are. */
function countOn(): void {
  counted += 1;
  countedAt = Date.now();
  void room.publish(PAGES, json({ count: counted, at: countedAt }));
}
setInterval(countOn, COUNT_MS).unref();

/** Tells all pages that a new server, the one with this number, has begun and that another one is about to stop. */
export async function tellDeploy(server: number): Promise<void> {
  await room.publish(PAGES, json({ deploy: server, at: Date.now() }));
}

/** The channels of a visitor. */
export function channelsOf(visitor: string): Channel[] {
  return room.members(ROOM).flatMap(([channel, of]) => (of === visitor ? [channel] : []));
}

/** The lines after the one with the id `since`, the last that the client has. Without `since`: none, because the client only wants new lines. */
export function missedSince(since: string | null): Line[] {
  const after = Number(since ?? lastId);
  return lines.flatMap(({ line }) => (line.id > after ? [line] : []));
}

/**
 * Adds a line and sends it to all channels of the room. Polls are answered by it. Returns the number of receivers. A line
 * whose `key` is known is a repetition and is not added.
 */
export function say(name: string, text: string, via: Line["via"], key?: string): number {
  if (key !== undefined && lines.some((said) => said.key === key)) return 0;
  lastId += 1;
  const line = { id: lastId, name: name.trim().slice(0, MAX_NAME) || "guest", text: text.slice(0, MAX_TEXT), via };
  lines.push({ line, key });
  if (lines.length > KEPT) lines.shift();
  const receivers = room.size(ROOM);
  void room.publish(ROOM, json([line]));
  return receivers;
}
