// Ids of entries: the start of the hub and the number of the entry in it, in the form of `stream-ids.ts`.

import { isStreamId } from "../stream-ids.ts";

export function toId(epoch: number, number: number): string {
  return `${epoch}-${number}`;
}

/** Returns the number of an id; -1, which no entry has, for an id of another hub, and for a text that is none. */
export function toNumber(epoch: number, id: string): number {
  const dash = id.indexOf("-");
  if (!isStreamId(id) || id.slice(0, dash) !== String(epoch)) return -1;
  const number = Number(id.slice(dash + 1));
  return Number.isSafeInteger(number) && number > 0 ? number : -1;
}
