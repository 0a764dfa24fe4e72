// @ts-check
// The start of a server, before the first client.
import { startRow } from "../lib/row.js";

export const start = startRow({
  name: "start",
  title: "start of a process until it listens, and its memory then",
  brief: ["unichannel", "node:http"],
  peers: {
    unichannel: "http-unichannel.js",
    "node:http": "http-node.js",
    ws: "ws-ws.js",
    "Socket.IO": "ws-socketio.js",
    Fastify: "http-fastify.js",
    Hono: "http-hono.js",
    "uWebSockets.js": "http-uws.js",
    "Bun.serve": "http-bun.js",
    "node:net": "http-net.js",
  },
});
