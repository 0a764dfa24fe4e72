// @ts-check
// A group with several kinds of members: WebSockets, event streams, long polls, and the two transports of Socket.IO. As soon as
// all members have the last message, a separate connection requests more (`POST /publish?count=N`): one message, or a burst in
// one turn.

import { exchanges } from "../lib/exchanges.js";
import { fail, openMany } from "../lib/generator.js";
import { RoomMembers } from "../lib/room-members.js";
import { openSocketIo, openSocketIoPolls } from "../lib/socket-io.js";
import { openSocket, openWebSocket } from "../lib/web-socket.js";

/** @typedef {import("../lib/room-members.js").Hear} Hear */

/** @type {import("../lib/generator.js").LoadConfig & { shares: Partial<Record<keyof typeof kinds, number>>, burst: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, burst } = config;
const HEAD_END = "\r\n\r\n";

/** The function by which a member of each kind joins. */
const kinds = {
  webSocket: (/** @type {Hear} */ hear) => openWebSocket({ port, path: "/member" }, hear),
  stream: joinStream,
  poll: joinPolls,
  socketIo: (/** @type {Hear} */ hear) => openSocketIo({ port }, hear),
  socketIoPoll: (/** @type {Hear} */ hear) => openSocketIoPolls({ port }, hear),
};

const order = Object.entries(kinds).flatMap(([name, join]) => {
  const share = config.shares[/** @type {keyof typeof kinds} */ (name)] ?? 0;
  return Array.from({ length: Math.round(share * config.connections) }, () => join);
});
const room = new RoomMembers(config, request);
await openMany(order.length, (index) => Promise.resolve(order[index]?.(room.member(index))));
const control = openSocket({ port }, () => {});
room.begin(order.length);
control.on("connect", () => room.ask());

function request() {
  control.write(`POST /publish?count=${burst} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n`);
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
