// The beginning of a member whose client keeps the cursors of its groups, and that the application adds without a `since` of its
// own: the client may come from a session that was lost, and continues where it was in the group.

import type { GroupCursors } from "../transport/group-cursors.ts";
import type { Group } from "./group.ts";
import { JoinState, type Member } from "./member.ts";
import { replayAfter } from "./replay-after.ts";
import { tellCursor } from "./tell-cursor.ts";

/** An id; undefined: the beginning of the stream. */
type Start = string | undefined;

/**
 * Called when the member has just been added. Returns the function that sends the messages which the client has missed, if it
 * may have missed some: live messages wait for it.
 */
export function joinWithCursor(group: Group, member: Member, cursors: GroupCursors): (() => void) | undefined {
  const cursor = cursors.areAwaited ? undefined : cursors.take(group.name);
  const isNew = cursor === undefined && !cursors.areAwaited && !cursors.areIncomplete;
  const state = member.state instanceof JoinState ? member.state : new JoinState();
  if (isNew && group.startsWithValues && state.source === undefined) {
    state.isCatchingUp = true;
    return () => group.catchUpNew(member);
  }
  if (isNew) return state.source === undefined ? tellStart(group, member) : () => group.ask(member, { isReset: false });
  member.state = state;
  state.isCatchingUp = true;
  const start = group.stream.start();
  if (cursor !== undefined) return () => continueFrom(group, member, state, cursor);
  return () => awaitCursor(group, member, state, { cursors, start });
}

interface AwaitedCursor {
  readonly cursors: GroupCursors;
  /** The place after which the member receives messages if its client has no cursor of the group. */
  readonly start: Start | Promise<Start>;
}

/** Begins the member when the client has told its cursors. */
export function awaitCursor(group: Group, member: Member, state: JoinState, { cursors, start }: AwaitedCursor): void {
  if (!(start instanceof Promise)) state.caughtUpTo = start;
  state.awaitsCursor = true;
  cursors.whenTold(() => {
    const cursor = cursors.take(group.name);
    if (member.hasLeft) return;
    state.awaitsCursor = false;
    if (cursor !== undefined) continueFrom(group, member, state, cursor);
    else if (cursors.areIncomplete) {
      // It may be one of the groups whose cursors the client has forgotten.
      state.isReset = true;
      group.catchUp(member, state, "");
    } else if (state.source?.make !== undefined) group.ask(member, { isReset: false });
    else if (group.startsWithValues) group.catchUpNew(member);
    else if (start instanceof Promise) {
      void start.then((id) => {
        if (!member.hasLeft) group.catchUp(member, state, id ?? "");
      });
    } else group.catchUp(member, state, start ?? "");
  });
}

/**
 * Sends everything that is kept. A client that comes from a lost session, and was in the group there, is told of a reset first: what it
 * has of the group is kept no more, or comes again.
 */
export function joinFromStart(group: Group, member: Member, state: JoinState, cursors: GroupCursors): void {
  // Where it goes on if its session moves to another process meanwhile.
  state.caughtUpTo = "";
  state.awaitsCursor = cursors.areAwaited;
  cursors.whenTold(() => {
    const cursor = cursors.take(group.name);
    if (member.hasLeft) return;
    state.awaitsCursor = false;
    if (cursor !== undefined || cursors.areIncomplete) state.isReset = true;
    group.catchUp(member, state, "");
  });
}

/** Continues where the client has been: `cursor` is a text of the client. */
function continueFrom(group: Group, member: Member, state: JoinState, cursor: string): void {
  state.toldUpTo = cursor;
  group.catchUp(member, state, cursor, replayAfter(group.stream, cursor));
}

/** Tells where the live messages begin. */
export function tellStart(group: Group, member: Member): undefined {
  const { name, stream } = group;
  const start = stream.start();
  if (!(start instanceof Promise)) {
    tellCursor(member, name, { id: start ?? "" });
    return;
  }
  // The member has received everything that has come meanwhile.
  void start.then(() => {
    if (!member.hasLeft) tellCursor(member, name, { id: stream.position ?? "" });
  });
}
