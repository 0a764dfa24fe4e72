// The tab of groups, and one group in full: its members, its latest messages, and the form that publishes one.

import { showRows } from "./channel-rows.ts";
import { byId, h, setAttribute, setText, syncList } from "./dom.ts";
import { bytes, count, short, time } from "./format.ts";
import { bindFilter, bindList, showPager } from "./list-controls.ts";
import { groupAddress, state } from "./state.ts";
import type { GroupDetail, GroupName, GroupRow, MessagePreview, Page } from "./wire.ts";

/** `changed` sends the state to the server. */
export function startGroups(changed: () => void): void {
  bindList("group", state.groups, changed);
  bindFilter("group-sort", (value) => {
    state.groups.sort = value as typeof state.groups.sort;
    changed();
  });
}

export function showGroups({ rows, total, page, pages }: Page<GroupRow>, stores: readonly string[]): void {
  byId("group-list").classList.toggle("has-stores", stores.length > 1);
  syncList(byId("group-list"), rows, {
    keyOf: ({ store, group }) => JSON.stringify([store, group]),
    make: makeRow,
    update: updateRow,
  });
  setText(byId("group-total"), `${count(total)} ${total === 1 ? "group" : "groups"}`);
  state.groups.page = page;
  showPager("group-pager", page, pages);
  const none = byId("no-groups");
  none.hidden = total > 0;
  if (stores.length === 0) setText(none, "No store is shown here: pass yours as the option stores of inspector.");
  else setText(none, state.groups.text === "" ? "No group has a member or a message." : "No group fits this filter.");
}

function makeRow(name: GroupRow): HTMLElement {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "row group", href: groupAddress(name) },
      h("span", { class: "name" }, name.group),
      h("span", { class: "store" }, name.store),
      h("span", { class: "size" }),
      h("span", { class: "rate" }),
    ),
  );
}

function updateRow(item: HTMLElement, row: GroupRow): void {
  const link = item.firstElementChild!;
  const [, , size, rate] = link.children;
  const { group } = state;
  setAttribute(link, "aria-current", group?.store === row.store && group.group === row.group ? "true" : undefined);
  setText(size!, `${count(row.size)} ${row.size === 1 ? "member" : "members"}`);
  setText(rate!, row.rate === 0 ? "–" : `${short(row.rate)} / s`);
}

export function showGroup({ store, group }: GroupName, detail: GroupDetail | null | undefined, now: number): void {
  setText(byId("group-title"), group);
  setText(byId("group-store"), store);
  byId("group-missing").hidden = detail !== null;
  byId("group-body").hidden = detail === null || detail === undefined;
  if (detail === null || detail === undefined) return;
  setText(byId("group-size"), count(detail.size));
  setText(byId("group-rate"), short(detail.rate));
  syncList(byId("messages"), detail.messages, { keyOf: ({ id }) => id, make: makeMessage, update: () => {} });
  byId("no-messages").hidden = detail.messages.length > 0;
  showRows(byId("member-list"), detail.members, now, null);
  byId("no-members").hidden = detail.members.length > 0;
  byId("more-members").hidden = detail.moreMembers === 0;
  setText(byId("more-members"), `and ${count(detail.moreMembers)} more`);
}

function makeMessage({ id, at, event, text, bytes: size }: MessagePreview): HTMLElement {
  return h(
    "li",
    {},
    h("pre", {}, text),
    h(
      "p",
      { class: "when" },
      at === undefined ? "from the history" : time(at),
      event === "" ? undefined : ` · ${event}`,
      ` · ${bytes(size)} · `,
      h("code", {}, id),
    ),
  );
}
