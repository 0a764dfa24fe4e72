// @ts-check
// Sessions whose process stops while others of the service go on: the clients follow PROTOCOL.md. All sessions begin at the first
// process. A client whose connection is lost comes back at once, at the other processes in turn, as through a balancer without
// stickiness. It is back when it has the `open` record of its session, and the message that the application sends after the move.
import { createHistogram } from "node:perf_hooks";
import { maskedFrame, TEXT } from "../lib/frames.js";
import { fail, openMany } from "../lib/generator.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** As in src/client/carrier-selector.ts. */
const FIRST_MS = 500;
const CAP_MS = 30_000;

/** @type {{ ports: readonly number[], connections: number }} */
const { ports, connections } = JSON.parse(process.argv[2] ?? "{}");
const [first = 0, ...others] = ports;
const fields = ["Sec-WebSocket-Protocol: unichannel.v1"];
const RESTORED = "mpage /rooms/7";

/** Time from the loss of a connection until its client is back, in microseconds. */
const times = createHistogram();
let back = 0;
/** Answers of 503, and connections that were dropped before an answer: their clients came again. */
let again = 0;
/** Sessions that were not resumed, or whose records were not the right ones. @type {Map<string, number>} */
const errors = new Map();
let turn = 0;

await openMany(connections, () => new Promise((resolve) => begin(() => resolve(undefined))));
process.send?.({ open: connections });

/** Opens a session, which sends one message and gets its echo. @param {() => void} onOpen */
function begin(onOpen) {
  let token = "";
  const hear = frames((payload, socket) => {
    const kind = String.fromCharCode(Number(payload[0]));
    if (kind === "o") {
      token = JSON.parse(payload.toString("latin1", 1)).session;
      socket.write(Buffer.concat(["a0", "mhello"].map((text) => maskedFrame(TEXT, Buffer.from(text)))));
    } else if (kind === "m") onOpen();
    else if (kind === "c") wrong("a close record");
  });
  openWebSocket({ port: first, fields, onError() {}, onClose: () => resume(token, performance.now(), 1) }, hear);
}

/** @param {string} token @param {number} lostAt @param {number} attempt in a row */
function resume(token, lostAt, attempt) {
  const port = others[turn++ % others.length] ?? first;
  let isBack = false;
  let isOpen = false;
  const hear = frames((payload, socket) => {
    const text = payload.toString("latin1");
    if (text[0] === "o") {
      isOpen = true;
      const { session, resumed, received, first: next } = JSON.parse(text.slice(1));
      if (session !== token || resumed !== true) wrong("not resumed");
      if (received !== 1 || next !== 2) wrong("a wrong number");
    } else if (text[0] === "m") {
      isBack = true;
      if (text !== RESTORED) wrong("a wrong message");
      socket.write(maskedFrame(TEXT, Buffer.from("a2")));
      isHere(lostAt);
    }
  });
  const onClose = () => {
    if (isBack) return wrong("closed after it was back");
    if (isOpen) wrong("closed before the message");
    again += 1;
    const delayMs = Math.random() * Math.min(CAP_MS, FIRST_MS * 2 ** (attempt - 1));
    setTimeout(() => resume(token, lostAt, attempt + 1), delayMs);
  };
  const path = `/?session=${token}&after=1&try=${attempt + 1}`;
  openWebSocket({ port, path, fields, onError() {}, onClose, onRefused() {} }, hear);
}

/** @param {string} what */
function wrong(what) {
  errors.set(what, (errors.get(what) ?? 0) + 1);
}

/** @param {number} lostAt */
function isHere(lostAt) {
  times.record(Math.max(1, Math.round((performance.now() - lostAt) * 1000)));
  back += 1;
  if (back < connections) return;
  const [p50Seconds, p99Seconds] = [50, 99].map((share) => times.percentile(share) / 1e6);
  for (const [what, count] of errors) console.error(`  ${count} times: ${what}`);
  const failures = [...errors.values()].reduce((sum, count) => sum + count, 0);
  if (times.count !== connections) fail(new Error("a client was back twice"));
  process.send?.({ backAt: Date.now(), p50Seconds, p99Seconds, again, errors: failures });
}
