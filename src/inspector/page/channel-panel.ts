// One channel in full: its facts, its groups and its timeline, and the button that closes it.

import { askToClose } from "./actions.ts";
import { kindOf } from "./channel-rows.ts";
import { byId, h, setText, syncList } from "./dom.ts";
import { bytes, count, span, time } from "./format.ts";
import { groupAddress } from "./state.ts";
import type { ChannelDetail, TimelineEvent } from "./wire.ts";

/** Undefined while the server has not answered, null if there is no such channel. */
export function showChannel(id: string, detail: ChannelDetail | null | undefined, now: number): void {
  setText(byId("channel-title"), id);
  const body = byId("channel-body");
  const isMissing = detail === null;
  byId("channel-missing").hidden = !isMissing;
  body.hidden = detail === null || detail === undefined;
  if (detail === null || detail === undefined) {
    setText(byId("channel-kind"), isMissing ? "unknown" : "");
    return;
  }
  const { closed } = detail;
  const kind = byId("channel-kind");
  setText(kind, closed === undefined ? kindOf(detail) : `${kindOf(detail)}, ended`);
  kind.className = `pill ${closed === undefined ? detail.transport : "is-ended"}`;
  facts([
    ["Path", detail.path || "–"],
    ["Address", detail.address || "–"],
    closed === undefined
      ? ["Open for", span(now - detail.openedAt)]
      : ["Was open for", span(closed.at - detail.openedAt)],
    ["Not taken by the client", bytes(detail.unsent)],
    ["Not taken by the application", bytes(detail.unread)],
  ]);
  showGroups(detail);
  const { events, dropped } = detail;
  byId("channel-dropped").hidden = dropped === 0;
  setText(byId("channel-dropped"), `${count(dropped)} events between are not kept.`);
  syncList(byId("timeline"), events.map(toPoint(detail.openedAt)), {
    keyOf: ({ key }) => key,
    make: makePoint,
    update: () => {},
  });
  const button = byId<HTMLButtonElement>("close-channel");
  button.disabled = closed !== undefined;
  button.onclick = () => askToClose(id);
}

function facts(rows: readonly (readonly [name: string, value: string])[]): void {
  syncList(byId("channel-facts"), rows, {
    keyOf: ([name]) => name,
    make: ([name]) => h("div", {}, h("dt", {}, name), h("dd", {})),
    update: (row, [, value]) => setText(row.lastElementChild!, value),
  });
}

function showGroups({ groups, moreGroups }: ChannelDetail): void {
  byId("channel-groups-title").hidden = groups.length === 0;
  const all = moreGroups > 0 ? [...groups, { store: "", group: `and ${count(moreGroups)} more` }] : groups;
  syncList(byId("channel-groups"), all, {
    keyOf: ({ store, group }) => JSON.stringify([store, group]),
    make: (name) =>
      h("li", {}, name.store === "" ? h("span", {}, name.group) : h("a", { href: groupAddress(name) }, name.group)),
    update: () => {},
  });
}

interface Point extends TimelineEvent {
  readonly key: string;
  /** Milliseconds since the channel was opened. */
  readonly after: number;
}

function toPoint(openedAt: number): (event: TimelineEvent, index: number) => Point {
  return (event, index) => ({ ...event, key: `${index} ${event.at} ${event.text}`, after: event.at - openedAt });
}

function makePoint({ at, kind, text, after }: Point): HTMLElement {
  return h(
    "li",
    { class: `point is-${kind}` },
    h("p", {}, text),
    h("p", { class: "when" }, kind === "open" ? time(at) : `${time(at)}, after ${span(after)}`),
  );
}
