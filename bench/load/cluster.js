// @ts-check
// Members of one group at several processes. One of them says `inFlight` numbered messages; when all members have heard the
// oldest it says the next. Counts messages that all have heard, and how long each delivery took from its saying.
import { setTimeout as sleep } from "node:timers/promises";
import { maskedFrame, TEXT } from "../lib/frames.js";
import { fail } from "../lib/generator.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** @type {{ ports: number[], members: number, inFlight: number, seconds: number, warmupSeconds: number, socketIo: boolean }} */
const { ports, members, inFlight, seconds, warmupSeconds, socketIo } = JSON.parse(process.argv[2] ?? "{}");
const path = socketIo ? "/socket.io/?EIO=4&transport=websocket" : "/";
const FILL = "x".repeat(116);

/** When each message was said, and how many have still to hear it. @type {Map<number, { at: number, missing: number }>} */
const said = new Map();
/** @type {number[]} */
let latencies = [];
let completed = 0;
let next = 0;

const sockets = await Promise.all(ports.flatMap((port) => Array.from({ length: members }, () => open(port))));
await sleep(500);
for (let i = 0; i < inFlight; i++) say();
await sleep(warmupSeconds * 1000);
latencies = [];
completed = 0;
await sleep(seconds * 1000);
const sorted = latencies.toSorted((a, b) => a - b);
/** @param {number} share */
const percentile = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
process.send?.({ perSecond: completed / seconds, p50: percentile(0.5), p99: percentile(0.99) }, () => process.exit());

function say() {
  const id = next++;
  said.set(id, { at: performance.now(), missing: sockets.length });
  const data = `${String(id).padStart(12, "0")}${FILL}`;
  sockets[0]?.write(maskedFrame(TEXT, Buffer.from(socketIo ? `42["m","${data}"]` : data)));
}

/** @param {string} text */
function heard(text) {
  const id = Number(/\d{12}/.exec(text)?.[0]);
  const message = said.get(id);
  if (message === undefined) return fail(new Error(`heard twice, or never said: ${text}`));
  latencies.push(performance.now() - message.at);
  message.missing -= 1;
  if (message.missing > 0) return;
  said.delete(id);
  completed += 1;
  say();
}

/** Resolves when the member has joined. @param {number} port @returns {Promise<import("node:net").Socket>} */
function open(port) {
  return new Promise((resolve) => {
    const listen = frames((payload, socket) => {
      const text = payload.toString("latin1");
      if (/\d{12}x/.test(text)) heard(text);
      // Engine.IO's "0{…}" is answered with Socket.IO's "40", and that with "40{…}".
      else if (text.startsWith("0{")) socket.write(maskedFrame(TEXT, Buffer.from("40")));
      else if (text.startsWith("40")) resolve(socket);
      else if (text === "2") socket.write(maskedFrame(TEXT, Buffer.from("3")));
    });
    openWebSocket({ port, path }, listen).then((socket) => socketIo || resolve(socket));
  });
}
