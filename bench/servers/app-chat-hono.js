// A chat on Hono: its WebSocket helper on Node, a loop over the members, and a list of the last lines.
import { serve, upgradeWebSocket } from "@hono/node-server";
import { Hono } from "hono";
import { WebSocketServer } from "ws";
import { KEPT } from "../lib/chat.js";
import { ready } from "../lib/ready.js";

let n = 0;
let t = 0;
const members = new Map();
const lines = [];

const app = new Hono();
app.get(
  "/chat",
  upgradeWebSocket((c) => {
    const name = c.req.query("name");
    return {
      onOpen(_, socket) {
        broadcast(JSON.stringify({ type: "joined", n: ++n, name }));
        socket.send(JSON.stringify({ type: "welcome", n, t, names: [...members.values()] }));
        for (const line of lines) socket.send(line);
        members.set(socket, name);
      },
      onMessage({ data }, socket) {
        const { type, text } = JSON.parse(data);
        if (type === "typing") return broadcast(JSON.stringify({ type, t: ++t, name }), socket);
        const line = JSON.stringify({ type: "said", n: ++n, name, text });
        lines.push(line);
        if (lines.length > KEPT) lines.shift();
        broadcast(line);
      },
      onClose(_, socket) {
        members.delete(socket);
        broadcast(JSON.stringify({ type: "left", n: ++n, name }));
      },
    };
  }),
);
const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1", websocket: { server } }, ({ port }) =>
  ready(port, () => members.size),
);

function broadcast(text, except) {
  for (const socket of members.keys()) if (socket !== except && socket.readyState === 1) socket.send(text);
}
