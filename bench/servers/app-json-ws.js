// @ts-check
// Orders on ws: each message is parsed, checked by the schema, and answered as JSON.
import { WebSocketServer } from "ws";
import { order, receiptOf } from "../lib/orders.js";
import { ready } from "../lib/ready.js";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false, backlog: 1024 });
server.on("connection", (socket) => {
  socket.on("message", (data) => {
    const { success, data: checked } = order.safeParse(parsed(String(data)));
    if (!success) return socket.close(1008, "bad message");
    socket.send(JSON.stringify(receiptOf(checked)));
  });
  socket.on("error", () => socket.terminate());
});
server.on("listening", () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));

/** Undefined, which the schema refuses, for a text that is not JSON. @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
