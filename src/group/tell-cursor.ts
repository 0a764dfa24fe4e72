// Tells a client that keeps the cursors of its groups (PROTOCOL.md, "Groups") about its place in one of them.

import type { GroupRecord } from "../codec/session-record.ts";
import { GroupNews } from "../protocol/group-news.ts";
import type { Member } from "./member.ts";

/** The client's place, a reset, or with `{}` that it is not a member any more. Does nothing for other clients. */
export function tellCursor(
  { implementation }: Member,
  group: string,
  { id, reset }: Pick<GroupRecord, "id" | "reset">,
): void {
  if (implementation?.cursors !== undefined) implementation.sendRecord(new GroupNews(group, { id, reset }), false);
}
