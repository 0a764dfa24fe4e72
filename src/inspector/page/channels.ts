// The tab of channels: a filter, and a page of the list.

import { showRows } from "./channel-rows.ts";
import { byId, setText } from "./dom.ts";
import { count } from "./format.ts";
import { bindFilter, bindList, showPager } from "./list-controls.ts";
import { state } from "./state.ts";
import type { ChannelRow, Page } from "./wire.ts";

/** `changed` sends the state to the server. */
export function startChannels(changed: () => void): void {
  bindList("channel", state.channels, changed);
  bindFilter("channel-transport", (value) => {
    state.channels.transport = value as typeof state.channels.transport;
    state.channels.page = 0;
    changed();
  });
  bindFilter("channel-state", (value) => {
    state.channels.state = value as typeof state.channels.state;
    state.channels.page = 0;
    changed();
  });
  bindFilter("channel-sort", (value) => {
    state.channels.sort = value as typeof state.channels.sort;
    changed();
  });
}

export function showChannels({ rows, total, page, pages }: Page<ChannelRow>, now: number): void {
  showRows(byId("channel-list"), rows, now, state.channel);
  const isOpen = state.channels.state === "open";
  setText(byId("channel-total"), `${count(total)} ${total === 1 ? "channel" : "channels"}`);
  setText(byId("channel-age"), isOpen ? "Open for" : "Ended with");
  state.channels.page = page;
  showPager("channel-pager", page, pages);
  const isFiltered = state.channels.text !== "" || state.channels.transport !== "all";
  const none = byId("no-channels");
  none.hidden = total > 0;
  if (isFiltered) setText(none, "No channel fits this filter.");
  else
    setText(
      none,
      isOpen
        ? "No client is connected. Channels appear here as soon as they open."
        : "No channel has ended since the inspector began.",
    );
}
