// @ts-check
// The panel: switches that break the network, the state of the session, and a chart of both.

import { connection, deploy, forget, listen, setCounting, setDeploying, tally, waiting } from "./conversation.js";
import { broken, onSwitch, setBroken } from "./network.js";
import { Timeline } from "./timeline.js";

const COUNT_MS = 200;
/** The span over which messages per second are counted, in milliseconds. */
const RATE_MS = 5000;

const CARRIERS = {
  websocket: { name: "WebSocket", one: "a WebSocket" },
  sse: { name: "Event stream", one: "an event stream" },
  poll: { name: "Polls", one: "polls" },
};
/** @type {Record<Exclude<typeof connection.state, "open">, { name: string, text: string }>} */
const AWAY = {
  connecting: { name: "Connecting", text: "" },
  reconnecting: { name: "Reconnecting", text: "Looking for another transport. Messages wait at both ends." },
  offline: { name: "Offline", text: "The network is cut. Messages wait at both ends." },
  closed: { name: "Closed", text: "The server has closed the session. Load the page again." },
};

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const timeline = new Timeline(/** @type {HTMLCanvasElement} */ (byId("timeline")), () => waiting.values());

/** The parts of the page that show how the session is. */
const SHOWING = [byId("panel"), byId("stage")];

/** Since when the session has no carrier. @type {number | undefined} */
let awaySince = performance.now();

connection.onState((state) => {
  for (const part of SHOWING) part.dataset["state"] = state;
  if (state === "open") return;
  awaySince ??= performance.now();
  timeline.carry(undefined);
  const { name, text } = AWAY[state];
  show("none", name, text);
});

connection.onOpen(({ session, transport }) => {
  const away = awaySince === undefined ? undefined : performance.now() - awaySince;
  awaySince = undefined;
  timeline.carry(transport);
  if (session !== "new") timeline.mark(session);
  const { name, one } = CARRIERS[transport];
  if (session === "new") show(transport, name, `Connected over ${one}.`);
  else if (session === "lost")
    show(transport, name, `A new session over ${one}: the server has forgotten the old one.`);
  else if (away === undefined) show(transport, name, `Moved to ${one}. Nothing was lost.`);
  else show(transport, name, `Resumed over ${one} after ${duration(away)}. Nothing was lost.`);
});

listen({
  heard: ({ sentAt }, ms) => timeline.add({ at: sentAt, ms, carrier: connection.transport ?? "websocket" }),
  deployed: (at) => timeline.mark("deploy", at),
});

/**
 * The text is a live region: it is read out.
 * @param {string} carrier @param {string} name @param {string} text
 */
function show(carrier, name, text) {
  for (const part of SHOWING) part.dataset["carrier"] = carrier;
  byId("carrier").textContent = name;
  byId("status").textContent = text;
}

/** With a no-break space. @param {number} ms */
function duration(ms) {
  return ms < 1000 ? `${Math.ceil(ms)}\u00a0ms` : `${(ms / 1000).toFixed(1)}\u00a0s`;
}

const cut = byId("cut");
cut.addEventListener("click", () => setBroken("network", !broken.network));
byId("block-websocket").addEventListener("click", () => setBroken("websocket", !broken.websocket));
byId("hold-streams").addEventListener("click", () => setBroken("streams", !broken.streams));
onSwitch(() => {
  cut.textContent = broken.network ? "Restore the network" : "Cut the network";
  cut.classList.toggle("is-on", broken.network);
  byId("block-websocket").setAttribute("aria-pressed", String(broken.websocket));
  byId("hold-streams").setAttribute("aria-pressed", String(broken.streams));
});
toggle("pause", (isOn) => setCounting(!isOn));
toggle("deploying", setDeploying);
byId("forget").addEventListener("click", forget);
byId("deploy").addEventListener("click", deploy);

/** @param {string} id @param {(isOn: boolean) => void} set */
function toggle(id, set) {
  const button = byId(id);
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isOn));
    set(isOn);
  });
}

/** Answers so far, at each count of the last seconds. @type {number[]} */
const answers = [];

function count() {
  const { sent, heard, lost, twice, resumed, forgotten, deploys } = tally;
  answers.push(heard);
  if (answers.length > RATE_MS / COUNT_MS + 1) answers.shift();
  const rate = (heard - (answers[0] ?? 0)) / (Math.max(answers.length - 1, 1) * (COUNT_MS / 1000));
  const counts = {
    ...{ sent, heard, waiting: waiting.size, lost, twice, resumed, forgotten, deploys },
    ...{ rate: rate.toFixed(1), ms: duration(tally.ms), longest: duration(tally.longestMs) },
  };
  for (const [name, value] of Object.entries(counts)) {
    byId(`count-${name}`).textContent = String(value);
    byId(`count-${name}`).classList.toggle("is-bad", (name === "lost" || name === "twice") && Number(value) > 0);
  }
  byId("count-unacknowledged").textContent = `${connection.bufferedAmount} B`;
}
setInterval(count, COUNT_MS);
