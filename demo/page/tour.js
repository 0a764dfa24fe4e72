// @ts-check
// The tour: three steps. Each does one thing to the connection that is really there, and says afterwards in numbers what happened.

import { connection, deployAll, listen, tally, waiting } from "./conversation.js";
import { keep, kept } from "./keep.js";
import { broken, mend, setBroken } from "./network.js";

/** How long the network is cut, and how long WebSocket is blocked once another transport has the session. */
const AWAY_MS = 4000;
/** A step that takes longer has failed, and says so. */
const PATIENCE_MS = 30_000;
const TOO_LATE = `No answer for ${PATIENCE_MS / 1000} seconds, so this step has failed. Does the server still run? Press again to repeat it.`;
const SERVERS = 3;

class Late extends Error {}

const NAMES = { websocket: "a WebSocket", sse: "an event stream", poll: "polls" };

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The server that has the session. */
let server = 0;
/** The numbers of the servers that have begun since the step was started. @type {number[]} */
let begun = [];
listen({
  server: (number) => {
    server = number;
  },
  deployed: (_, number) => {
    begun.push(number);
  },
});

/** The result of each step that was done, by its name. @type {Record<string, string>} */
const results = kept("tour") ?? {};
let isRunning = false;

/** Each resolves with what happened. @type {Record<string, () => Promise<string>>} */
const STEPS = {
  async cut() {
    const cutAt = performance.now();
    setBroken("network", true);
    say("cut", "The network is cut. Nothing arrives; what this page sends waits.");
    // A switch below may restore it earlier.
    await until(() => !broken.network || performance.now() - cutAt >= AWAY_MS);
    const seconds = Math.round((performance.now() - cutAt) / 1000);
    mend();
    await until(() => connection.state === "open");
    return `The network was away for ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
  },

  async block() {
    setBroken("websocket", true);
    say("block", "WebSocket is blocked. The session looks for another transport.");
    await until(() => connection.state === "open" && connection.transport !== "websocket");
    const carrier = connection.transport ?? "websocket";
    const earlier = tally.received + tally.heard;
    say("block", `The session goes on over ${NAMES[carrier]}. In a moment WebSocket is allowed again.`);
    await sleep(AWAY_MS);
    const carried = tally.received + tally.heard - earlier;
    setBroken("websocket", false);
    await until(() => connection.transport === "websocket");
    return `${carried} messages came over ${NAMES[carrier]}; then WebSocket was back.`;
  },

  async deploy() {
    const first = server;
    begun = [];
    await deployAll();
    say("deploy", "New servers replace all three, one after the other. The session moves.");
    // It may move more than once: to a server that is replaced after that.
    await until(() => begun.length >= SERVERS && server >= Math.min(...begun) && connection.state === "open");
    return `Three servers were replaced, and the session moved from server ${first} to ${server}.`;
  },
};

for (const [name, run] of Object.entries(STEPS)) {
  byId(`tour-${name}`).addEventListener("click", () => void start(name, run));
  if (results[name] !== undefined) say(name, results[name]);
}
show();

/** @param {string} name @param {() => Promise<string>} run */
async function start(name, run) {
  if (isRunning) return;
  isRunning = true;
  show(name);
  try {
    results[name] = await resultOf(name, run);
    keep("tour", results);
    say(name, results[name]);
  } catch (error) {
    mend();
    delete results[name];
    say(name, error instanceof Late ? TOO_LATE : String(error));
  }
  isRunning = false;
  show();
}

/** Runs a step. Resolves with what happened, in numbers. @param {string} name @param {() => Promise<string>} run */
async function resultOf(name, run) {
  // A switch below that is still set would make it another experiment.
  mend();
  if (connection.state !== "open" || connection.transport !== "websocket") {
    say(name, "Waiting for the connection.");
    await until(() => connection.transport === "websocket");
  }
  const before = { ...tally };
  const what = await run();
  await allIn();
  const passed = tally.received + tally.heard - before.received - before.heard;
  const waited = tally.waited - before.waited;
  const lost = tally.lost - before.lost;
  const twice = tally.twice - before.twice;
  const arrived = `${passed} messages arrived, ${waited} of them late. Lost:\u00a0${lost}. Twice:\u00a0${twice}.`;
  return `${what} ${arrived}`;
}

/** Resolves when everything that has been sent so far has been answered, and the server has been heard once more. */
async function allIn() {
  const last = Math.max(0, ...waiting.keys());
  const { received } = tally;
  await until(() => tally.received > received && [...waiting.keys()].every((n) => n > last));
}

/** Rejects with `Late` if it is not so in time. @param {() => boolean} isSo */
async function until(isSo) {
  for (let waitedMs = 0; !isSo(); waitedMs += 50) {
    if (waitedMs >= PATIENCE_MS) throw new Late();
    await sleep(50);
  }
}

/** In a live region: it is read out. @param {string} name @param {string} text */
function say(name, text) {
  byId(`result-${name}`).textContent = text;
}

/** Marks what is done, and what to press next. @param {string} [running] the step that is under way */
function show(running) {
  const next = Object.keys(STEPS).find((name) => results[name] === undefined);
  for (const name of Object.keys(STEPS)) {
    const step = byId(`step-${name}`);
    const isDone = results[name] !== undefined;
    step.dataset["state"] = name === running ? "running" : isDone ? "done" : name === next ? "next" : "later";
    byId(`done-${name}`).textContent = isDone && name !== running ? "done" : "";
    // Not `disabled`: the button would lose the focus of the keyboard.
    byId(`tour-${name}`).setAttribute("aria-disabled", String(running !== undefined));
  }
  const isOver = next === undefined && running === undefined;
  byId("tour-end").textContent = isOver
    ? "That was all three. Now break it in your own way: the switches are below."
    : "Each step takes a few seconds and ends by itself.";
}
