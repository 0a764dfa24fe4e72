// The messages of a page. They come from a client, so they are checked; in the one that says what is shown, a part that is missing or
// wrong is the default.

import { KINDS } from "./page/format.ts";
import type { ChannelsView, GroupName, GroupsView, View } from "./page/wire.ts";

/** Longest message of a page: one that publishes. */
export const MAX_MESSAGE_BYTES = 65_536;
const MAX_TEXT = 200;
const MAX_NAME = 1024;
const MAX_PAGE = 1_000_000;

const TRANSPORTS = ["all", "session", ...KINDS] as const;

/** An object of a message, whose parts are not checked. */
export type Loose = Readonly<Record<string, unknown>>;

export function toView(given: Loose): View {
  return {
    tab: oneOf(given["tab"], ["overview", "channels", "groups"]),
    channels: toChannelsView(toLoose(given["channels"])),
    groups: toGroupsView(toLoose(given["groups"])),
    channel: typeof given["channel"] === "string" ? given["channel"].slice(0, MAX_TEXT) : null,
    group: toGroupName(given["group"]),
    isPaused: given["isPaused"] === true,
  };
}

export const FIRST_VIEW: View = toView({ isPaused: true });

function toChannelsView(given: Loose): ChannelsView {
  return {
    text: toText(given["text"]),
    transport: oneOf(given["transport"], TRANSPORTS),
    state: oneOf(given["state"], ["open", "closed"]),
    sort: oneOf(given["sort"], ["newest", "oldest", "unsent"]),
    page: toPage(given["page"]),
  };
}

function toGroupsView(given: Loose): GroupsView {
  return {
    text: toText(given["text"]),
    sort: oneOf(given["sort"], ["members", "rate", "name"]),
    page: toPage(given["page"]),
  };
}

export function toGroupName(value: unknown): GroupName | null {
  const { store, group } = toLoose(value);
  if (typeof store !== "string" || typeof group !== "string") return null;
  return store.length > MAX_NAME || group.length > MAX_NAME ? null : { store, group };
}

/** Undefined for a message that is not JSON, or no object. */
export function parseMessage(message: unknown): Loose | undefined {
  try {
    const value: unknown = JSON.parse(String(message));
    return typeof value === "object" && value !== null ? (value as Loose) : undefined;
  } catch {
    return undefined;
  }
}

function toLoose(value: unknown): Loose {
  return typeof value === "object" && value !== null ? (value as Loose) : {};
}

/** The value if it is one of `allowed`, otherwise the first of them. */
function oneOf<const Text extends string>(value: unknown, allowed: readonly [Text, ...Text[]]): Text {
  return allowed.find((one) => one === value) ?? allowed[0];
}

function toText(value: unknown): string {
  return typeof value === "string" ? value.slice(0, MAX_TEXT) : "";
}

function toPage(value: unknown): number {
  return Number.isSafeInteger(value) ? Math.min(Math.max(value as number, 0), MAX_PAGE) : 0;
}
