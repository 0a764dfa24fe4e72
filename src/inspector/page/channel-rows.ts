// The rows of channels: in the list of all, and among the members of a group.

import { h, setAttribute, setText, syncList } from "./dom.ts";
import { bytes, KIND_NAMES, span } from "./format.ts";
import { channelAddress } from "./state.ts";
import type { ChannelRow } from "./wire.ts";

/** Unsent bytes that stand out. A session has some until its client acknowledges them. */
const MUCH_BYTES = 16_384;

/** Shows the rows as links in a list. `open`: the id of the channel that is shown beside it. */
export function showRows(list: HTMLElement, rows: readonly ChannelRow[], now: number, open: string | null): void {
  syncList(list, rows, {
    keyOf: ({ id }) => id,
    make: makeRow,
    update: (element, row) => updateRow(element, row, { now, isOpen: row.id === open }),
  });
}

function makeRow({ id, path, address }: ChannelRow): HTMLElement {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "row channel", href: channelAddress(id) },
      h("span", { class: "kind" }, h("i", { "aria-hidden": "true" }), h("b", {})),
      h("span", { class: "path" }, path === "" ? "–" : path),
      h("span", { class: "address" }, address),
      h("span", { class: "age" }),
      h("span", { class: "unsent" }),
      h("code", { class: "id" }, id),
    ),
  );
}

function updateRow(
  item: HTMLElement,
  row: ChannelRow,
  { now, isOpen }: { readonly now: number; readonly isOpen: boolean },
): void {
  const link = item.firstElementChild!;
  const [kind, , , age, unsent] = link.children as unknown as Element[];
  setAttribute(link, "aria-current", isOpen ? "true" : undefined);
  setAttribute(kind!.firstElementChild!, "class", `dot ${row.transport}${row.isAway ? " is-away" : ""}`);
  setText(kind!.lastElementChild!, kindOf(row));
  if (row.closed === undefined) setText(age!, span(now - row.openedAt));
  else setText(age!, `${row.closed.code} ${row.closed.name}`);
  setText(unsent!, row.unsent > 0 ? bytes(row.unsent) : "");
  unsent!.classList.toggle("is-much", row.unsent >= MUCH_BYTES);
}

export function kindOf({ transport, isSession, isAway }: ChannelRow): string {
  if (isAway) return "Session, away";
  return isSession ? `Session · ${KIND_NAMES[transport]}` : KIND_NAMES[transport];
}
