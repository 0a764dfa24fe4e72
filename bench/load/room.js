// @ts-check
// A group with several kinds of members: WebSockets, event streams, long polls, and the two transports of Socket.IO. As soon as
// all members have the last message, a separate connection requests more (`POST /publish?count=N`): one message, or a burst in
// one turn. Messages are counted by their mark, in any framing; each member's first burst is compared completely.
// Every tenth member measures the time from the request to the last message.

import { exchanges } from "../lib/exchanges.js";
import { fail, measureTurns, openMany } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { MARK, MESSAGE } from "../lib/room.js";
import { openSocketIo, openSocketIoPolls } from "../lib/socket-io.js";
import { openSocket, openWebSocket } from "../lib/web-socket.js";

/** @typedef {(bytes: Buffer | string) => void} Hear handles the bytes that a member receives */

/** @type {import("../lib/generator.js").LoadConfig & { shares: Partial<Record<keyof typeof kinds, number>>, burst: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, burst } = config;
const MARK_BYTE = MARK.charCodeAt(0);
const HEAD_END = "\r\n\r\n";

/** The function by which a member of each kind joins. */
const kinds = {
  webSocket: (/** @type {Hear} */ hear) => openWebSocket({ port, path: "/member" }, hear),
  stream: joinStream,
  poll: joinPolls,
  socketIo: (/** @type {Hear} */ hear) => openSocketIo({ port }, hear),
  socketIoPoll: (/** @type {Hear} */ hear) => openSocketIoPolls({ port }, hear),
};

let deliveries = 0;
let missing = 0;
/** Number of messages to each member so far. */
let said = 0;
let askedAt = 0;

const order = Object.entries(kinds).flatMap(([name, join]) => {
  const share = config.shares[/** @type {keyof typeof kinds} */ (name)] ?? 0;
  return Array.from({ length: Math.round(share * config.connections) }, () => join);
});
await openMany(order.length, (index) => Promise.resolve(order[index]?.(member(index % 10 === 0))));
const control = openSocket({ port }, () => {});
const turnIsOver = measureTurns(config, () => deliveries);
control.on("connect", ask);

function ask() {
  missing = order.length;
  said += burst;
  askedAt = performance.now();
  control.write(`POST /publish?count=${burst} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`);
}

/** @param {boolean} isTimed @returns {Hear} */
function member(isTimed) {
  let heard = 0;
  /** The bytes of the first burst, until they are compared. @type {string | undefined} */
  let early = "";
  return (bytes) => {
    const text = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    if (early !== undefined) early = compared(early + text.toString("latin1"));
    const before = heard;
    for (let at = text.indexOf(MARK_BYTE); at !== -1; at = text.indexOf(MARK_BYTE, at + 1)) heard++;
    if (heard === before) return;
    deliveries += heard - before;
    if (heard > said) fail(new Error("a member heard something twice"));
    if (heard < said) return;
    if (isTimed) tookSince(askedAt);
    missing -= 1;
    if (missing > 0) return;
    turnIsOver();
    ask();
  };
}

/** Returns undefined when the first burst is complete and correct; the text while it is incomplete. @param {string} text */
function compared(text) {
  const messages = text.split(MARK).slice(1);
  if (messages.length < burst || (messages[burst - 1]?.length ?? 0) < MESSAGE.length - MARK.length) return text;
  const isRight = messages.every((message) => `${MARK}${message}`.startsWith(MESSAGE));
  if (!isRight || messages.length > burst) fail(new Error(`not what was to be said: ${text}`));
  return undefined;
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

/** Resolves when the member knows the id from which to poll. @param {Hear} hear @returns {Promise<void>} */
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
