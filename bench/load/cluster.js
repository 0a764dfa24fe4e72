// @ts-check
// Members of one group in several processes. One of them publishes `inFlight` numbered messages; when all members have the
// oldest, it publishes the next. Counts messages that all members have received, and measures each delivery from the publish.
import { setTimeout as sleep } from "node:timers/promises";
import { maskedFrame, TEXT } from "../lib/frames.js";
import { fail, measure } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { openSocketIo } from "../lib/socket-io.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** @type {import("../lib/generator.js").LoadConfig & { inFlight: number, socketIo?: boolean }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { ports, connections, inFlight, socketIo } = config;
const FILL = "x".repeat(116);

/** The time of each message, and the number of members that have not received it. @type {Map<number, { at: number, missing: number }>} */
const said = new Map();
let completed = 0;
let next = 0;
let isOver = false;

const members = ports.flatMap((port) => Array.from({ length: connections / ports.length }, () => join(port)));
const sockets = await Promise.all(members);
// A new member does not become known to all processes at once.
await sleep(500);
for (let i = 0; i < inFlight; i++) say();
await measure(config, () => completed, {
  stop() {
    isOver = true;
  },
  missing: () => (said.size > 0 ? `${said.size} messages have not reached all members` : undefined),
});

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
  tookSince(message.at);
  message.missing -= 1;
  if (message.missing > 0) return;
  said.delete(id);
  completed += 1;
  if (!isOver) say();
}

/** Resolves when the member has joined. @param {number} port */
async function join(port) {
  if (socketIo) return (await openSocketIo({ port }, heard)).socket;
  return openWebSocket(
    { port },
    frames((payload) => heard(payload.toString("latin1"))),
  );
}
