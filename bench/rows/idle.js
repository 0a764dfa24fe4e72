// @ts-check
// What a client costs that is connected and silent: the usual state of most of them.
import { memoryRow } from "../lib/row.js";

const idleWs = memoryRow({
  name: "idle-ws",
  title: "memory of idle WebSockets",
  peers: {
    unichannel: "ws-unichannel.js",
    ws: "ws-ws.js",
    "uWebSockets.js": "ws-uws.js",
    "Bun.serve": "ws-bun.js",
    "node:net": "ws-net.js",
  },
  brief: ["unichannel", "ws", "uWebSockets.js"],
  targets: { ws: "≤ 5 kB" },
  webSocket: true,
});

const idlePoll = memoryRow({
  name: "idle-poll",
  title: "memory of parked long polls",
  peers: { unichannel: "poll-unichannel.js", "node:http": "poll-node.js" },
  webSocket: false,
});

const idleSse = memoryRow({
  name: "idle-sse",
  title: "memory of silent event streams",
  peers: { unichannel: "sse-unichannel.js", "better-sse": "sse-better.js" },
  webSocket: false,
  fields: ["Accept: text/event-stream"],
});

/** The session with its WebSocket; what it costs above a plain channel is the difference to `idle-ws`. */
const idleSession = memoryRow({
  name: "idle-session",
  title: "memory of idle sessions, each on its WebSocket",
  peers: { unichannel: "session-unichannel.js", channel: "ws-unichannel.js" },
  targets: { channel: "≤ 2 kB more" },
  webSocket: true,
  fields: ["Sec-WebSocket-Protocol: unichannel.v1"],
});

export const idle = [idleWs, idleSse, idlePoll, idleSession];
