// @ts-check
// The memory of a connected, silent client: the usual state of most clients.
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
  brief: ["unichannel", "ws"],
  targets: { unichannel: "≤ 4.8 kB" },
  kind: "webSocket",
});

const idlePoll = memoryRow({
  name: "idle-poll",
  title: "memory of parked long polls",
  peers: { unichannel: "poll-unichannel.js", "node:http": "poll-node.js", "Socket.IO": "room-socketio.js" },
  brief: ["unichannel", "node:http"],
  kinds: { "Socket.IO": "socketIoPoll" },
  kind: "request",
});

const idleSse = memoryRow({
  name: "idle-sse",
  title: "memory of silent event streams",
  peers: { unichannel: "sse-unichannel.js", "better-sse": "sse-better.js" },
  without: { "Socket.IO": "it has no event streams" },
  kind: "request",
  fields: ["Accept: text/event-stream"],
});

/** The session with its WebSocket; the difference to `idle-ws` is its cost above a plain channel. */
const idleSession = memoryRow({
  name: "idle-session",
  title: "memory of idle sessions, each on its WebSocket",
  peers: { unichannel: "session-unichannel.js", channel: "ws-unichannel.js", "Socket.IO": "ws-socketio.js recovery" },
  brief: ["unichannel", "Socket.IO"],
  kinds: { "Socket.IO": "socketIo" },
  targets: { unichannel: "≤ 5.5 kB", channel: "≤ 2 kB more" },
  kind: "webSocket",
  fields: ["Sec-WebSocket-Protocol: unichannel.v1"],
});

export const idle = [idleWs, idleSse, idlePoll, idleSession];
