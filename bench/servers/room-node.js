// @ts-check
// The same room written by hand with ws and node:http: a loop over each kind of member, and a history for the polls.
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { ready } from "../lib/ready.js";
import { countOf, GREETING, MESSAGE } from "../lib/room.js";

const HISTORY = 1000;

/** @type {Set<import("node:http").ServerResponse>} */
const streams = new Set();
/** Polls that wait, and for what comes behind which message. @type {Map<import("node:http").ServerResponse, number>} */
const polls = new Map();
/** @type {{ id: number, data: string }[]} */
const history = [];
let id = 0;

const server = createServer((request, response) => {
  const target = request.url ?? "";
  if (target.startsWith("/member")) {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    response.write(`data: ${GREETING}\n\n`);
    streams.add(response);
    response.on("close", () => streams.delete(response));
  } else if (target.startsWith("/poll")) {
    const since = new URLSearchParams(target.slice(target.indexOf("?") + 1)).get("since");
    if (since === null || Number(since) < id) return answer(response, Number(since ?? id));
    polls.set(response, Number(since));
    response.on("close", () => polls.delete(response));
  } else {
    for (let i = countOf(target); i > 0; i--) publish(MESSAGE);
    response.writeHead(204).end();
  }
});
const webSockets = new WebSocketServer({ server, perMessageDeflate: false });
webSockets.on("connection", (socket) => socket.on("error", () => socket.terminate()));

/** @param {string} data */
function publish(data) {
  id += 1;
  history.push({ id, data });
  if (history.length > HISTORY) history.shift();
  for (const client of webSockets.clients) if (client.readyState === WebSocket.OPEN) client.send(data);
  const event = `id: ${id}\ndata: ${data}\n\n`;
  for (const response of streams) response.write(event);
  const waiting = [...polls];
  polls.clear();
  for (const [response, since] of waiting) answer(response, since);
}

/** @param {import("node:http").ServerResponse} response @param {number} since */
function answer(response, since) {
  const missed = since < id ? history.slice(since - id) : [];
  const messages = missed.map((message) => ({ id: String(message.id), data: message.data }));
  const body = JSON.stringify({ messages, next: String(id), reset: false });
  response.writeHead(200, {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
}

server.listen(0, "127.0.0.1", 1024, () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  ready(port, () => webSockets.clients.size + streams.size + polls.size);
});
