// @ts-check
// The same dashboard written by hand with ws and node:http: for each panel a loop over each kind of member, and a history for the
// polls.
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { dashboard, watchOf } from "../lib/dashboard.js";
import { ready } from "../lib/ready.js";

const HISTORY = 100;

/** @typedef {import("node:http").ServerResponse} Response */

class Panel {
  /** @type {Set<WebSocket>} */
  sockets = new Set();
  /** @type {Set<Response>} */
  streams = new Set();
  /** Polls that wait, and the id that they have. @type {Map<Response, number>} */
  polls = new Map();
  /** @type {unknown[]} */
  history = [];
  id = 0;

  /** @param {unknown} message */
  publish(message) {
    this.id += 1;
    this.history.push(message);
    if (this.history.length > HISTORY) this.history.shift();
    const text = JSON.stringify(message);
    for (const socket of this.sockets) if (socket.readyState === WebSocket.OPEN) socket.send(text);
    const event = `id: ${this.id}\ndata: ${text}\n\n`;
    for (const stream of this.streams) stream.write(event);
    const waiting = [...this.polls];
    this.polls.clear();
    for (const [response, since] of waiting) this.answer(response, since);
  }

  /** @param {Response} response @param {number} since */
  answer(response, since) {
    const missed = since < this.id ? this.history.slice(since - this.id) : [];
    const body = JSON.stringify({ messages: missed.map((data) => ({ data })), next: String(this.id) });
    response.writeHead(200, {
      "Content-Type": "application/json; charset=utf-8",
      "Cache-Control": "no-store",
      "Content-Length": Buffer.byteLength(body),
    });
    response.end(body);
  }
}

/** @type {Map<string, Panel>} */
const panels = new Map();
const { control } = dashboard((group, message) => panelOf(group).publish(message));

const server = createServer((request, response) => {
  const answer = control(request.url);
  if (answer !== undefined) return response.end(answer);
  const { group, since } = watchOf(request.url);
  const panel = panelOf(group);
  if (request.url?.startsWith("/live")) {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
    response.flushHeaders();
    panel.streams.add(response);
    response.on("close", () => panel.streams.delete(response));
  } else if (since === null || Number(since) < panel.id) {
    panel.answer(response, Number(since ?? panel.id));
  } else {
    panel.polls.set(response, Number(since));
    response.on("close", () => panel.polls.delete(response));
  }
});
const webSockets = new WebSocketServer({ server, perMessageDeflate: false });
webSockets.on("connection", (socket, request) => {
  const { sockets } = panelOf(watchOf(request.url).group);
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  socket.on("error", () => socket.terminate());
});
server.listen(0, "127.0.0.1", 1024, () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));

/** @param {string} group */
function panelOf(group) {
  const panel = panels.get(group) ?? new Panel();
  panels.set(group, panel);
  return panel;
}
