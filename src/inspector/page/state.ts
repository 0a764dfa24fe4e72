// The state of the page: a tab, its filters, and the channel or group that is open. The address has it, so that a link and the back
// button work.

import type { GroupName, View } from "./wire.ts";

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

export interface State extends Mutable<Omit<View, "channels" | "groups">> {
  channels: Mutable<View["channels"]>;
  groups: Mutable<View["groups"]>;
}

export const state: State = {
  tab: "overview",
  channels: { text: "", transport: "all", state: "open", sort: "newest", page: 0 },
  groups: { text: "", sort: "members", page: 0 },
  channel: null,
  group: null,
  isPaused: false,
};

/** Reads the address: `#/channels/ID`, `#/groups/STORE/NAME`. */
export function readAddress(hash: string): void {
  const [tab = "", first, second] = hash.replace(/^#\/?/, "").split("/").map(decode);
  state.tab = tab === "channels" || tab === "groups" ? tab : "overview";
  state.channel = state.tab === "channels" && first !== undefined && first !== "" ? first : null;
  state.group =
    state.tab === "groups" && first !== undefined && second !== undefined ? { store: first, group: second } : null;
}

export function channelAddress(id: string): string {
  return `#/channels/${encode(id)}`;
}

export function groupAddress({ store, group }: GroupName): string {
  return `#/groups/${encode(store)}/${encode(group)}`;
}

/** `encodeURIComponent`, which throws for half of a surrogate pair: a client may have chosen such a name. It becomes `%uD800`. */
function encode(text: string): string {
  return text.replace(/(\p{Surrogate})|\P{Surrogate}+/gu, (part, half?: string) =>
    half === undefined ? encodeURIComponent(part) : `%u${half.charCodeAt(0).toString(16)}`,
  );
}

function decode(text: string): string {
  try {
    return text
      .split(/(%u[\da-f]{4})/)
      .map((part) =>
        part[1] === "u" ? String.fromCharCode(Number.parseInt(part.slice(2), 16)) : decodeURIComponent(part),
      )
      .join("");
  } catch {
    return text;
  }
}
