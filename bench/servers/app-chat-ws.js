// @ts-check
// A chat on ws, as in its README: a loop over the clients, and a list of the last lines.
import { WebSocket, WebSocketServer } from "ws";
import { KEPT, nameIn } from "../lib/chat.js";
import { ready } from "../lib/ready.js";

let n = 0;
let t = 0;
/** @type {Map<WebSocket, string>} */
const members = new Map();
/** @type {string[]} */
const lines = [];

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, backlog: 1024 });
server.on("connection", (socket, request) => {
  const name = nameIn(request.url);
  broadcast(JSON.stringify({ type: "joined", n: ++n, name }));
  socket.send(JSON.stringify({ type: "welcome", n, t, names: [...members.values()] }));
  for (const line of lines) socket.send(line);
  members.set(socket, name);
  socket.on("message", (data) => {
    const { type, text } = JSON.parse(String(data));
    if (type === "typing") return broadcast(JSON.stringify({ type, t: ++t, name }), socket);
    const line = JSON.stringify({ type: "said", n: ++n, name, text });
    lines.push(line);
    if (lines.length > KEPT) lines.shift();
    broadcast(line);
  });
  socket.on("close", () => {
    members.delete(socket);
    broadcast(JSON.stringify({ type: "left", n: ++n, name }));
  });
  socket.on("error", () => socket.terminate());
});
server.on("listening", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  ready(port, () => members.size);
});

/** @param {string} text @param {WebSocket} [except] */
function broadcast(text, except) {
  for (const socket of members.keys()) {
    if (socket !== except && socket.readyState === WebSocket.OPEN) socket.send(text);
  }
}
