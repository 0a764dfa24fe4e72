// @ts-check
// What a client costs that is connected and silent: the usual state of most of them.
import { memoryRow } from "../lib/row.js";

export const idleWs = memoryRow({
  name: "idle-ws",
  title: "memory of idle WebSockets",
  peers: {
    unichannel: "ws-unichannel.js",
    ws: "ws-ws.js",
    "uWebSockets.js": "ws-uws.js",
    "Bun.serve": "ws-bun.js",
    "node:net": "ws-net.js",
  },
  targets: { ws: "≤ 5 kB" },
  webSocket: true,
});

export const idlePoll = memoryRow({
  name: "idle-poll",
  title: "memory of parked long polls",
  peers: { unichannel: "poll-unichannel.js", "node:http": "poll-node.js" },
  webSocket: false,
});
