// @ts-check
// A room whose members are of several kinds: WebSockets, event streams, long polls, and the two of Socket.IO. As soon as
// everybody has what was said, a connection of its own asks for more (`POST /publish?count=N`). Counted are messages by
// their mark, whatever they are wrapped in. At every tenth member the time is taken from the question to the message.

import { exchanges } from "../lib/exchanges.js";
import { fail, measure, openMany } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { MARK, MESSAGE } from "../lib/room.js";
import { openSocketIo, openSocketIoPolls } from "../lib/socket-io.js";
import { openSocket, openWebSocket } from "../lib/web-socket.js";

/** @typedef {(bytes: Buffer | string) => void} Hear what a member does with what came */

/** @type {import("../lib/generator.js").LoadConfig & { shares: Partial<Record<keyof typeof kinds, number>>, burst: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, burst } = config;
const MARK_BYTE = MARK.charCodeAt(0);
const HEAD_END = "\r\n\r\n";

/** How a member of each kind joins. */
const kinds = {
  webSocket: (/** @type {Hear} */ hear) => openWebSocket({ port, path: "/member" }, hear),
  stream: joinStream,
  poll: joinPolls,
  socketIo: (/** @type {Hear} */ hear) => openSocketIo({ port }, hear),
  socketIoPoll: (/** @type {Hear} */ hear) => openSocketIoPolls({ port }, hear),
};

let deliveries = 0;
let missing = 0;
let askedAt = 0;

const order = Object.entries(kinds).flatMap(([name, join]) => {
  const share = config.shares[/** @type {keyof typeof kinds} */ (name)] ?? 0;
  return Array.from({ length: Math.round(share * config.connections) }, () => join);
});
await openMany(order.length, (index) => Promise.resolve(order[index]?.(member(index % 10 === 0))));
const control = openSocket({ port }, () => {});
control.on("connect", ask);
await measure(config, () => deliveries);

function ask() {
  missing = order.length * burst;
  askedAt = performance.now();
  control.write(`POST /publish?count=${burst} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`);
}

/** @param {boolean} isTimed @returns {Hear} */
function member(isTimed) {
  let isChecked = false;
  return (bytes) => {
    const text = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    let count = 0;
    for (let at = text.indexOf(MARK_BYTE); at !== -1; at = text.indexOf(MARK_BYTE, at + 1)) count++;
    if (count === 0) return;
    if (!isChecked && !text.includes(MESSAGE)) fail(new Error(`not what was to be said: ${text}`));
    isChecked = true;
    if (isTimed) tookSince(askedAt);
    deliveries += count;
    missing -= count;
    if (missing < 0) fail(new Error("a member heard something twice"));
    if (missing === 0) ask();
  };
}

/** Resolves when the stream has begun. @param {Hear} hear @returns {Promise<void>} */
function joinStream(hear) {
  return new Promise((resolve) => {
    let head = "";
    const socket = openSocket({ port }, (bytes) => {
      if (head.includes(HEAD_END)) return hear(bytes);
      head += bytes.toString("latin1");
      if (!head.includes(HEAD_END)) return;
      if (!head.startsWith("HTTP/1.1 200 ") || !/^content-type: text\/event-stream/im.test(head)) fail(new Error(head));
      resolve();
    });
    socket.on("connect", () =>
      socket.write("GET /member HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"),
    );
  });
}

/** Resolves when it knows from where on to ask. @param {Hear} hear @returns {Promise<void>} */
function joinPolls(hear) {
  return new Promise((resolve) => {
    const ask = exchanges({ port }, (body) => {
      const { next } = JSON.parse(body);
      ask("GET", `/poll?since=${next}`);
      hear(body);
      resolve();
    });
    ask("GET", "/poll");
  });
}
