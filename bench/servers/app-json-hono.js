// Orders on Hono: its WebSocket helper on Node, which runs on ws.
import { serve, upgradeWebSocket } from "@hono/node-server";
import { Hono } from "hono";
import { WebSocketServer } from "ws";
import { order, receiptOf } from "../lib/orders.js";
import { ready } from "../lib/ready.js";

const app = new Hono();
app.get(
  "/",
  upgradeWebSocket(() => ({
    onMessage({ data }, socket) {
      const { success, data: checked } = order.safeParse(parsed(data));
      if (!success) return socket.close(1008, "bad message");
      socket.send(JSON.stringify(receiptOf(checked)));
    },
  })),
);
const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1", websocket: { server } }, ({ port }) => ready(port));

/** Undefined, which the schema refuses, for a text that is not JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
