// The record of a group that has members somewhere: the processes that have some, and the beginnings and ends of the group that
// were not told yet. Each change gives a new record, or undefined if nothing changes; the caller writes it in one step.

import { utf8, utf8Bytes } from "../../base/bytes.ts";

export type GroupEvent = "start" | "end";

export interface GroupRecord {
  /** Ids of the processes that have members. */
  readonly members: readonly string[];
  /** Events that a process has to tell. `by`: the call that caused it, or has taken it over: the process and a number. */
  readonly untold: readonly { readonly by: string; readonly event: GroupEvent }[];
}

export type GroupChange = (record: GroupRecord) => GroupRecord | undefined;

const EMPTY: GroupRecord = { members: [], untold: [] };

/** Makes `id` one of the processes that have members, in place of the ids in `former`. */
export function entering(id: string, former: ReadonlySet<string>, by: string): GroupChange {
  return (record) => {
    const others = record.members.filter((member) => member !== id && !former.has(member));
    if (record.members.includes(id) && others.length === record.members.length - 1) return undefined;
    return changed(record, [...others, id], by);
  };
}

/** Removes processes: this one, which has no members any more. */
export function leaving(ids: ReadonlySet<string>, by: string): GroupChange {
  return (record) => {
    const others = record.members.filter((member) => !ids.has(member));
    return others.length === record.members.length ? undefined : changed(record, others, by);
  };
}

/** Removes processes that have died, and takes over what they have not told. */
export function burying(dead: ReadonlySet<string>, by: string): GroupChange {
  return (record) => {
    const others = record.members.filter((member) => !dead.has(member));
    const isTakenOver = record.untold.some((each) => dead.has(processOf(each.by)));
    if (others.length === record.members.length && !isTakenOver) return undefined;
    const untold = record.untold.map((each) => (dead.has(processOf(each.by)) ? { ...each, by } : each));
    return changed({ ...record, untold }, others, by);
  };
}

/** Removes the events that this call had to tell. */
export function confirming(by: string): GroupChange {
  return ({ members, untold }) => {
    const others = untold.filter((each) => each.by !== by);
    return others.length === untold.length ? undefined : { members, untold: others };
  };
}

/** Events that this call has to tell, oldest first. */
export function eventsOf({ untold }: GroupRecord, by: string): readonly GroupEvent[] {
  return untold.flatMap((each) => (each.by === by ? [each.event] : []));
}

/** The ids of all processes that a record names. */
export function processesOf({ members, untold }: GroupRecord): readonly string[] {
  return [...members, ...untold.map(({ by }) => processOf(by))];
}

/** Returns undefined for a record that names nobody: it is deleted. */
export function encodeRecord({ members, untold }: GroupRecord): Uint8Array | undefined {
  if (members.length === 0 && untold.length === 0) return undefined;
  return utf8Bytes(JSON.stringify([members, untold.map(({ by, event }) => [by, event])]));
}

/** Returns undefined for bytes that no store has written. */
export function decodeRecord(bytes: Uint8Array | undefined): GroupRecord | undefined {
  if (bytes === undefined) return EMPTY;
  try {
    const [members, untold] = JSON.parse(utf8(bytes)) as [string[], [string, GroupEvent][]];
    if (!members.every((id) => typeof id === "string")) return undefined;
    if (!untold.every(([by, event]) => typeof by === "string" && (event === "start" || event === "end")))
      return undefined;
    return { members, untold: untold.map(([by, event]) => ({ by, event })) };
  } catch {
    return undefined;
  }
}

function changed({ members: before, untold }: GroupRecord, members: readonly string[], by: string): GroupRecord {
  const had = before.length > 0;
  const has = members.length > 0;
  if (had === has) return { members, untold };
  return { members, untold: [...untold, { by, event: has ? "start" : "end" }] };
}

/** The process of a call. */
function processOf(by: string): string {
  return by.slice(0, by.indexOf(" "));
}
