// @ts-check
// The stage: the messages of both directions as they arrive, the transport that carries them, and what is counted.

import { connection, firstCount, listen, tally, waiting } from "./conversation.js";

/** Numbers that a lane has; those that are not in its width are cut off. */
const MAX_SHOWN = 40;
/** Numbers that are shown again in a page that is loaded again. */
const SHOWN_AGAIN = 12;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const incoming = byId("lane-in");
const outgoing = byId("lane-out");

/** Numbers of this page that the server has not answered. @type {Map<number, HTMLElement>} */
const unheard = new Map();

listen({
  counted: (n) => {
    add(incoming, n).dataset["carrier"] = connection.transport ?? "none";
    count();
  },
  sent: ({ n }) => {
    unheard.set(n, add(outgoing, n));
    count();
  },
  heard: ({ n }) => {
    const chip = unheard.get(n);
    if (chip !== undefined) chip.dataset["carrier"] = connection.transport ?? "none";
    unheard.delete(n);
    count();
  },
  server: (number) => {
    byId("server").textContent = `Server ${number}`;
  },
});

/** @param {HTMLElement} lane @param {number} n */
function add(lane, n) {
  const chip = document.createElement("span");
  chip.textContent = String(n);
  lane.append(chip);
  if (lane.children.length > MAX_SHOWN) lane.firstElementChild?.remove();
  return chip;
}

if (firstCount !== undefined) {
  for (let n = Math.max(1, firstCount - SHOWN_AGAIN + 1); n <= firstCount; n++)
    add(incoming, n).dataset["carrier"] = "none";
}

function count() {
  byId("sum-received").textContent = String(tally.received);
  byId("sum-heard").textContent = String(tally.heard);
  byId("sum-waiting").textContent = String(waiting.size);
  for (const name of /** @type {const} */ (["lost", "twice"])) {
    byId(`sum-${name}`).textContent = String(tally[name]);
    byId(`sum-${name}`).classList.toggle("is-bad", tally[name] > 0);
  }
}
setInterval(count, 500);
