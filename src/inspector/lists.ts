// The lists and details that the page asks for. A list is filtered and cut to a page; the work is linear in the number of open
// channels or groups, once a second for each page that shows the list.

import type { Group } from "../group/group.ts";
import type { GroupStore } from "../group/group-store.ts";
import { membersOf } from "../group/memberships.ts";
import type { ChannelRecord } from "./channel-record.ts";
import { type ChannelTable, describe } from "./channel-table.ts";
import type { GroupActivity } from "./group-activity.ts";
import type {
  ChannelDetail,
  ChannelRow,
  ChannelsView,
  GroupDetail,
  GroupName,
  GroupRow,
  GroupsView,
  Page,
  TimelineEvent,
} from "./page/wire.ts";

export const ROWS = 50;
const MAX_GROUPS_OF_CHANNEL = 50;
const MAX_MEMBERS = 50;

export interface Watched {
  readonly store: GroupStore;
  readonly activity: GroupActivity;
}

/** The stores that are shown, by name. */
export type WatchedStores = ReadonlyMap<string, Watched>;

export function channelsPage(table: ChannelTable, view: ChannelsView): Page<ChannelRow> {
  const text = view.text.toLowerCase();
  const found: ChannelRecord[] = [];
  for (const record of view.state === "open" ? table.open() : table.ended()) {
    if (isShown(record, view.transport) && (text === "" || matches(record, text))) found.push(record);
  }
  if (view.sort === "newest") found.reverse();
  else if (view.sort === "unsent") {
    const sizes = new Map(found.map((record) => [record, record.unsent]));
    found.sort((a, b) => sizes.get(b)! - sizes.get(a)!);
  }
  return toPage(found, view.page, (record) => record.row());
}

function isShown(record: ChannelRecord, transport: ChannelsView["transport"]): boolean {
  if (transport === "all") return true;
  return transport === "session" ? record.isSession : record.transport === transport;
}

function matches({ id, path, address }: ChannelRecord, text: string): boolean {
  return path.toLowerCase().includes(text) || address.includes(text) || id.includes(text);
}

export function channelDetail(table: ChannelTable, stores: WatchedStores, id: string): ChannelDetail | null {
  const record = table.find(id);
  if (record === undefined) return null;
  const { channel } = record;
  const members = channel === undefined ? [] : membersOf(channel.publicChannel);
  return {
    ...record.row(),
    groups: members.slice(0, MAX_GROUPS_OF_CHANNEL).map(({ group }) => nameOf(group as Group, stores)),
    moreGroups: Math.max(0, members.length - MAX_GROUPS_OF_CHANNEL),
    unread: channel?.unreadMemory ?? 0,
    events: eventsOf(record),
    dropped: record.events?.left ?? 0,
  };
}

/** The opening and the end are not among the events that are kept: every record has them. */
function eventsOf(record: ChannelRecord): readonly TimelineEvent[] {
  const { openedAt, path, closed } = record;
  const opening = path === "" ? "open before the inspector was" : `opened by ${path}`;
  const events: TimelineEvent[] = [{ at: openedAt, kind: "open", text: opening }];
  events.push(...(record.events?.latest() ?? []));
  if (closed !== undefined) {
    events.push({ at: closed.at, kind: "close", text: `closed ${describe(closed)}` });
  }
  return events;
}

function nameOf(group: Group, stores: WatchedStores): GroupName {
  for (const [store, { store: own }] of stores) if (own.watched.has(group)) return { store, group: group.name };
  return { store: "", group: group.name };
}

export function groupsPage(stores: WatchedStores, view: GroupsView): Page<GroupRow> {
  const text = view.text.toLowerCase();
  const found: GroupRow[] = [];
  for (const [store, { store: own, activity }] of stores) {
    for (const { name, size } of own.watched.all()) {
      if (text === "" || name.toLowerCase().includes(text))
        found.push({ store, group: name, size, rate: activity.rateOf(name) });
    }
  }
  const byName = (a: GroupRow, b: GroupRow): number => (a.group < b.group ? -1 : a.group > b.group ? 1 : 0);
  if (view.sort === "name") found.sort(byName);
  else if (view.sort === "rate") found.sort((a, b) => b.rate - a.rate || byName(a, b));
  else found.sort((a, b) => b.size - a.size || byName(a, b));
  return toPage(found, view.page, (row) => row);
}

export function groupDetail(
  table: ChannelTable,
  stores: WatchedStores,
  { store, group }: GroupName,
): GroupDetail | null {
  const watched = stores.get(store);
  if (watched === undefined) return null;
  const members = watched.store.watched.members(group) ?? [];
  const rows: ChannelRow[] = [];
  for (const { channel } of members.slice(0, MAX_MEMBERS)) {
    const row = table.find(channel.id)?.row();
    if (row !== undefined) rows.push(row);
  }
  return {
    store,
    group,
    size: members.length,
    rate: watched.activity.rateOf(group),
    members: rows,
    moreMembers: Math.max(0, members.length - rows.length),
    messages: watched.activity.messagesOf(group),
  };
}

function toPage<Item, Row>(items: readonly Item[], asked: number, toRow: (item: Item) => Row): Page<Row> {
  const pages = Math.max(1, Math.ceil(items.length / ROWS));
  const page = Math.min(asked, pages - 1);
  const rows = items.slice(page * ROWS, (page + 1) * ROWS).map(toRow);
  return { rows, total: items.length, page, pages };
}
