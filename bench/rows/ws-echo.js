// @ts-check
// WebSocket echo. 32 bytes is a chat line or a cursor's position: all of the cost is per message. 16 KiB is a document or
// a part of an image: the costs of unmasking and copying show.
import { workRow } from "../lib/row.js";

const ON_UWS = "unichannel on uWebSockets.js";
const peers = {
  unichannel: "ws-unichannel.js",
  ws: "ws-ws.js",
  "uWebSockets.js": "ws-uws.js",
  [ON_UWS]: "ws-unichannel-uws.js",
  "Bun.serve": "ws-bun.js",
};
/** ws gives a text as a Buffer. An application that reads it makes a string, which our server gives at once. */
const asString = { "ws as a string": "ws-ws.js string" };
/** With its native addon, which unmasks; `npm install ws` alone does not install it. Only long messages gain by it. */
export const withAddon = { "ws with bufferutil": "ws-ws.js bufferutil" };
const floor = { "node:net": "ws-net.js" };
const brief = ["unichannel", "ws"];
const load = "ws-echo.js";
const text = { connections: 64, inFlight: 1, messageBytes: 32, binary: false };

export const wsEcho = [
  workRow({
    name: "ws-echo-32-1",
    title: "echo of 32 bytes of text, 64 connections, 1 message in flight on each",
    peers: { ...peers, "Socket.IO": "ws-socketio.js", ...floor },
    rank: "headline",
    brief,
    targets: { ws: "≥ 1.15 ×", "node:net": "≥ 0.95 ×" },
    load,
    config: text,
    configs: { "Socket.IO": { socketIo: true } },
  }),
  workRow({
    name: "ws-echo-32-1-alone",
    rank: "extra",
    title: "echo of 32 bytes of text, 1 connection, 1 message in flight: no other work to share a wake-up with",
    peers: { ...peers, ...floor },
    brief,
    load,
    config: { ...text, connections: 1 },
  }),
  workRow({
    name: "ws-echo-32-16",
    title: "echo of 32 bytes of text, 64 connections, 16 messages in flight on each",
    peers: { ...peers, "Socket.IO": "ws-socketio.js", ...floor },
    rank: "headline",
    brief: ["unichannel", "ws", "uWebSockets.js"],
    targets: { ws: "≥ 6 ×", "uWebSockets.js": "≥ 1 × (aim)" },
    load,
    config: { ...text, inFlight: 16 },
    configs: { "Socket.IO": { socketIo: true } },
  }),
  workRow({
    name: "ws-echo-1k",
    rank: "extra",
    title: "echo of 1 KiB of text, 64 connections, 1 message in flight on each",
    peers,
    brief,
    load,
    config: { ...text, messageBytes: 1024 },
  }),
  workRow({
    name: "ws-echo-16k",
    title: "echo of 16 KiB of bytes, 16 connections, 1 message in flight on each",
    peers: { ...peers, ...withAddon, ...floor },
    brief,
    targets: { ws: "≥ 1.3 ×" },
    load,
    config: { connections: 16, inFlight: 1, messageBytes: 16_384, binary: true },
  }),
  workRow({
    name: "ws-echo-64k-text",
    rank: "extra",
    title: "echo of 64 KiB of text, 16 connections, 1 message in flight on each",
    peers: { ...peers, ...withAddon, ...asString, ...floor },
    brief: ["unichannel", ...Object.keys(asString), "ws"],
    targets: { "ws as a string": "≥ 1.1 ×", ws: "≥ 1.1 ×" },
    load,
    config: { connections: 16, inFlight: 1, messageBytes: 65_536, binary: false },
  }),
  workRow({
    name: "ws-echo-64k-bytes",
    rank: "extra",
    title: "echo of 64 KiB of bytes, 16 connections, 1 message in flight on each",
    peers: { ...peers, ...withAddon, ...floor },
    brief,
    targets: { ws: "≥ 1.1 ×" },
    load,
    config: { connections: 16, inFlight: 1, messageBytes: 65_536, binary: true },
  }),
  workRow({
    name: "ws-echo-1m",
    title: "echo of 1 MiB of bytes, 4 connections, 1 message in flight on each",
    peers: { ...peers, ...withAddon },
    brief,
    load,
    config: { connections: 4, inFlight: 1, messageBytes: 1_048_576, binary: true },
  }),
  workRow({
    name: "ws-deflate-1k",
    title: "echo of 1 KiB of text, permessage-deflate both ways without context takeover, 64 connections",
    peers: Object.fromEntries(
      Object.entries(peers).flatMap(([peer, file]) => (peer === ON_UWS ? [] : [[peer, `${file} deflate`]])),
    ),
    without: { [ON_UWS]: "messages are not compressed there" },
    brief,
    load,
    config: { ...text, messageBytes: 1024, deflate: true },
  }),
];
