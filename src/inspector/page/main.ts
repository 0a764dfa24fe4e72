// The inspector's page. It says over a session of our own what it shows, and is sent that once a second.

import { connect } from "../../client/index.ts";
import { allow, answered, startActions } from "./actions.ts";
import { showChannel } from "./channel-panel.ts";
import { showChannels, startChannels } from "./channels.ts";
import { byId, setAttribute, setText } from "./dom.ts";
import { showGroup, showGroups, startGroups } from "./groups.ts";
import { Overview, showUptime } from "./overview.ts";
import { channelAddress, groupAddress, readAddress, state } from "./state.ts";
import { startTheme } from "./theme.ts";
import type { Done, Hello, Sample, Update, View } from "./wire.ts";

/** Samples of five minutes. */
const MAX_SAMPLES = 300;

const STATE_NAMES = {
  connecting: "connecting",
  open: "live",
  paused: "paused",
  reconnecting: "reconnecting",
  offline: "offline",
  closed: "ended",
} as const;

startTheme();
const overview = new Overview();
const connection = connect(new URL("live", document.baseURI).href.replace(/#.*/, ""));
let samples: Sample[] = [];
let stores: readonly string[] = [];
let startedAt = 0;
let isPaused = false;

startChannels(send);
startGroups(send);
startActions((action) => connection.send(JSON.stringify(action)));

/** Tells the server what is shown. */
function send(): void {
  const view: View = { ...state, isPaused: isPaused || document.hidden };
  connection.send(JSON.stringify(view));
}

function show(): void {
  const { tab, channel, group } = state;
  for (const name of ["overview", "channels", "groups"]) {
    byId(name).hidden = name !== tab;
    setAttribute(byId(`to-${name}`), "aria-current", name === tab ? "page" : undefined);
  }
  byId("channel-panel").hidden = channel === null;
  byId("group-panel").hidden = group === null;
  document.body.classList.toggle("has-panel", channel !== null || group !== null);
}

function navigate(): void {
  const before = openedAddress();
  const tabBefore = state.tab;
  const rowBefore = document.querySelector<HTMLElement>("section:not([hidden]) .list a[aria-current]");
  readAddress(location.hash);
  show();
  const opened = openedAddress();
  if (state.channel !== null && opened !== before) showChannel(state.channel, undefined, 0);
  if (state.group !== null && opened !== before) showGroup(state.group, undefined, 0);
  // On a phone the panel takes the place of the list.
  const isInPlace = opened !== undefined && opened !== before && matchMedia("(max-width: 60rem)").matches;
  if (state.tab !== tabBefore || isInPlace) scrollTo(0, 0);
  // A panel that covers the list, and whoever uses a keyboard, begin at its title.
  if (opened !== undefined && opened !== before)
    byId(state.channel === null ? "group-title" : "channel-title").focus({ preventScroll: true });
  // The panel was closed: the keyboard goes on at the row that opened it.
  if (opened === undefined && before !== undefined) rowBefore?.focus();
  send();
}

/** The address of the channel or group that is shown in full; undefined if none is. */
function openedAddress(): string | undefined {
  if (state.channel !== null) return channelAddress(state.channel);
  return state.group === null ? undefined : groupAddress(state.group);
}

function greet(hello: Hello): void {
  ({ stores, startedAt } = hello);
  samples = [...hello.samples];
  setText(byId("runtime"), `${hello.runtime}, process ${hello.pid}`);
  showUptime(startedAt, hello.now);
  allow(hello);
  overview.show(samples);
  // A new session, and one that goes on in another process, knows nothing of what is shown.
  send();
}

function update(message: Update): void {
  const { sample, channels, groups, channel, group, now } = message;
  if (sample !== null) {
    samples = [...samples, sample].slice(-MAX_SAMPLES);
    setText(byId("status"), sample.status);
    setAttribute(byId("server"), "data-status", sample.status);
    showUptime(startedAt, now);
  }
  overview.add(message.happened);
  if (state.tab === "overview") overview.show(samples);
  if (channels !== null && state.tab === "channels") showChannels(channels, now);
  if (groups !== null && state.tab === "groups") showGroups(groups, stores);
  // An answer to an earlier message may have another one.
  if (state.channel !== null && (channel === null || channel?.id === state.channel))
    showChannel(state.channel, channel, now);
  if (state.group !== null && (group === null || (group !== undefined && groupAddress(group) === openedAddress())))
    showGroup(state.group, group, now);
}

connection.onMessage((message) => {
  const parsed = JSON.parse(String(message)) as Done | Hello | Update;
  if (parsed.type === "hello") greet(parsed);
  else if (parsed.type === "done") answered(parsed);
  else update(parsed);
});

connection.onState(showState);

function showState(): void {
  const live = byId("live");
  const is = isPaused && connection.state === "open" ? "paused" : connection.state;
  setAttribute(live, "data-state", is);
  setText(live.lastElementChild!, STATE_NAMES[is]);
}

connection.onClose(({ code, reason, by }) => {
  const end = byId("ended");
  end.hidden = false;
  setText(end.firstElementChild!, whyEnded(code, `${reason || code}, by the ${by}`));
});

function whyEnded(code: number, reason: string): string {
  if (code === 4401) return "You may not look at this inspector any more.";
  if (code === 1008)
    return `You may not look at this inspector (${reason}), or a proxy in front of it does not pass on the Host of requests.`;
  return `The connection has ended: ${reason}.`;
}

byId("reload").addEventListener("click", () => location.reload());
byId("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  const button = byId("pause");
  setText(button, isPaused ? "Go on" : "Pause");
  showState();
  send();
});
for (const id of ["channel-back", "group-back"]) {
  byId(id).addEventListener("click", () => {
    location.hash = `#/${state.tab}`;
  });
}
addEventListener("keydown", (event) => {
  const { key, target } = event;
  const isOpen = state.channel !== null || state.group !== null;
  if (key === "Escape" && isOpen && document.querySelector("dialog[open]") === null) location.hash = `#/${state.tab}`;
  if (key !== "/" || target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) return;
  const field = document.querySelector<HTMLInputElement>("section:not([hidden]) input[type=search]");
  if (field === null) return;
  field.focus();
  event.preventDefault();
});
document.addEventListener("visibilitychange", send);
addEventListener("hashchange", navigate);
navigate();
