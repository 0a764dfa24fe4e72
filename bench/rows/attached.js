// @ts-check
// The price of a server that one has already: the same work on our engine, and inside node:http by `attach`.
import { memoryRow, workRow } from "../lib/row.js";

const engine = "our engine";

export const attached = [
  workRow({
    name: "attach-hello",
    title: "GET of 11 bytes inside node:http, 64 keep-alive connections",
    peers: { attached: "http-unichannel.js attached", "node:http": "http-node.js", [engine]: "http-unichannel.js" },
    brief: ["attached", "node:http"],
    targets: { "node:http": "≥ 0.8 ×" },
    load: "http",
    config: { connections: 64 },
  }),
  workRow({
    name: "attach-ws-echo-1",
    rank: "extra",
    title: "echo of 32 bytes of text inside node:http, 64 connections, 1 message in flight on each",
    peers: { attached: "ws-unichannel.js attached", [engine]: "ws-unichannel.js" },
    targets: { [engine]: "≥ 0.97 ×" },
    load: "ws-echo.js",
    config: { connections: 64, inFlight: 1, messageBytes: 32, binary: false },
  }),
  workRow({
    name: "attach-ws-echo-16",
    title: "echo of 32 bytes of text inside node:http, 64 connections, 16 messages in flight on each",
    peers: { attached: "ws-unichannel.js attached", [engine]: "ws-unichannel.js" },
    targets: { [engine]: "≥ 0.97 ×" },
    load: "ws-echo.js",
    config: { connections: 64, inFlight: 16, messageBytes: 32, binary: false },
  }),
  workRow({
    name: "attach-publish-1",
    rank: "extra",
    title: "deliveries of 128 bytes of text to 1,000 WebSockets inside node:http, one message at a time",
    peers: { attached: "fan-out-unichannel.js attached", [engine]: "fan-out-unichannel.js" },
    targets: { [engine]: "≥ 0.97 ×" },
    load: "fan-out.js",
    config: { connections: 1000, burst: 1, messageBytes: 128 },
  }),
  workRow({
    name: "attach-publish-sse",
    title: "deliveries of 128 bytes of text to 1,000 event streams inside node:http, one message at a time",
    peers: {
      attached: "room-unichannel.js attached",
      "better-sse": "room-better-sse.js",
      "node:http": "room-node.js",
      [engine]: "room-unichannel.js",
    },
    brief: ["attached", "better-sse"],
    targets: { "better-sse": "≥ 1.2 ×" },
    load: "room.js",
    config: { connections: 1000, burst: 1, shares: { stream: 1 } },
  }),
  memoryRow({
    name: "attach-idle-sse",
    title: "memory of silent event streams inside node:http",
    peers: { attached: "sse-unichannel.js attached", "node:http": "sse-node.js", [engine]: "sse-unichannel.js" },
    targets: { "node:http": "≤ 1.1 ×" },
    kind: "request",
    fields: ["Accept: text/event-stream"],
  }),
  memoryRow({
    name: "attach-idle-ws",
    rank: "extra",
    title: "memory of idle WebSockets inside node:http",
    peers: { attached: "ws-unichannel.js attached", [engine]: "ws-unichannel.js" },
    targets: { [engine]: "≤ 1.03 ×" },
    kind: "webSocket",
  }),
];
