// @ts-check
// A group on ws, as in its README: a loop over the clients.
import { WebSocket, WebSocketServer } from "ws";
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, backlog: 1024 });
server.on("connection", (socket) => {
  socket.on("message", (count) => {
    for (let i = Number(String(count)); i > 0; i--) {
      for (const client of server.clients) if (client.readyState === WebSocket.OPEN) client.send(MESSAGE);
    }
  });
  socket.on("error", () => socket.terminate());
});
server.on("listening", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  ready(port, () => server.clients.size);
});
