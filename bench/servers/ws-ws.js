// @ts-check
// WebSocket echo on ws, as in its README; with `deflate` messages are compressed; with `string` each text is made a string, and
// that is sent back.
import { WebSocketServer } from "ws";
import { ready } from "../lib/ready.js";

const perMessageDeflate = process.argv[2] === "deflate";
const asString = process.argv[2] === "string";
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate, backlog: 1024 });
server.on("connection", (socket) => {
  if (asString) socket.on("message", (data) => socket.send(data.toString()));
  else socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});
server.on("listening", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  ready(port, () => server.clients.size);
});
