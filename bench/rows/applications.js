// @ts-check
// An application as it really is: work beside the library's own, many kinds of messages, clients that come and go. Every delivery is
// checked. `npm run bench:applications` measures the same over minutes.
import { applicationRow } from "../lib/application-row.js";

const NO_STREAMS = "it has no event streams";
const NO_WAY_BACK = "event streams bring nothing from clients";

const orders = applicationRow({
  name: "app-json",
  title: "orders of 300 bytes as JSON, parsed, checked by a schema of zod and answered, 64 WebSockets",
  peers: {
    unichannel: "app-json-unichannel.js",
    ws: "app-json-ws.js",
    "Socket.IO": "app-json-socketio.js",
    Hono: "app-json-hono.js",
  },
  brief: ["unichannel", "ws"],
  without: { "better-sse": NO_WAY_BACK },
  load: "app-json.js",
  config: { connections: 64, kind: "webSocket" },
  configs: { "Socket.IO": { kind: "socketIo" } },
  steady: { perSecond: 5000 },
});

const chat = applicationRow({
  name: "app-chat",
  title:
    "a chat of 500 WebSockets: 10 lines, 10 notices of typing, 5 members who come and 5 who go in a second; an operation is one " +
    "event that a member receives",
  peers: {
    unichannel: "app-chat-unichannel.js",
    ws: "app-chat-ws.js",
    "Socket.IO": "app-chat-socketio.js",
    Hono: "app-chat-hono.js",
  },
  brief: ["unichannel", "ws"],
  without: { "better-sse": NO_WAY_BACK },
  load: "app-chat.js",
  config: { connections: 500, kind: "webSocket", linesPerSecond: 10, noticesPerSecond: 10, changesPerSecond: 5 },
  configs: { "Socket.IO": { kind: "socketIo" } },
});

const dashboard = {
  load: "app-dashboard.js",
  brief: ["unichannel", "ws + node:http"],
};
const EACH = "50 groups with 10 messages of 300 bytes a second each, for 2,000 clients, each of whom watches one";

const mixed = applicationRow({
  ...dashboard,
  name: "app-dashboard",
  title: `deliveries of a dashboard: ${EACH}; 1,000 WebSockets, 600 event streams, 400 long polls`,
  peers: {
    unichannel: "app-dashboard-unichannel.js",
    "ws + node:http": "app-dashboard-node.js",
    "Socket.IO": "app-dashboard-socketio.js",
  },
  without: {
    "Socket.IO with event streams": "it has none: its clients have 1,600 WebSockets and 400 long polls",
    Hono: "its WebSockets are those of ws and its polls would be written by hand: app-dashboard-sse has its streams",
    "better-sse": "it has event streams alone: app-dashboard-sse",
  },
  config: { connections: 2000, shares: { webSocket: 0.5, stream: 0.3, poll: 0.2 } },
  configs: { "Socket.IO": { shares: { socketIo: 0.8, socketIoPoll: 0.2 } } },
});

const streams = applicationRow({
  ...dashboard,
  name: "app-dashboard-sse",
  title: `deliveries of a dashboard: ${EACH} over an event stream`,
  peers: {
    unichannel: "app-dashboard-unichannel.js",
    "better-sse": "app-dashboard-better-sse.js",
    Hono: "app-dashboard-hono.js",
    "node:http": "app-dashboard-node.js",
  },
  brief: ["unichannel", "better-sse"],
  rank: "extra",
  without: { "Socket.IO": NO_STREAMS, ws: NO_STREAMS },
  config: { connections: 2000, shares: { stream: 1 } },
});

const tokens = applicationRow({
  name: "app-tokens",
  title:
    "tokens of a language model to 500 readers, each 50 in a second over an event stream; answers of 100 tokens, one in 20 stopped " +
    "by its reader",
  peers: {
    unichannel: "app-tokens-unichannel.js",
    "better-sse": "app-tokens-better-sse.js",
    Hono: "app-tokens-hono.js",
    "node:http": "app-tokens-node.js",
  },
  brief: ["unichannel", "Hono"],
  without: { "Socket.IO": NO_STREAMS, ws: NO_STREAMS },
  load: "app-tokens.js",
  config: { connections: 500, tokens: 100 },
});

export const applications = [orders, chat, mixed, streams, tokens];
