// @ts-check
// WebSocket echo. 32 bytes is a chat line or a cursor's position: the cost is all per message. 16 KiB is a document or
// an image's part: unmasking and copying count.
import { workRow } from "../lib/row.js";

const peers = { unichannel: "ws-unichannel.js", ws: "ws-ws.js", "node:net": "ws-net.js" };
const load = "ws-echo.js";

export const wsEcho = [
  workRow({
    name: "ws-echo-32-1",
    title: "echo of 32 bytes of text, 64 connections, 1 message in flight on each",
    peers,
    targets: { ws: "≥ 1.15 ×" },
    load,
    config: { connections: 64, inFlight: 1, messageBytes: 32, binary: false },
  }),
  workRow({
    name: "ws-echo-32-1-alone",
    title: "echo of 32 bytes of text, 1 connection, 1 message in flight: no other work to share a wake-up with",
    peers,
    load,
    config: { connections: 1, inFlight: 1, messageBytes: 32, binary: false },
  }),
  workRow({
    name: "ws-echo-32-16",
    title: "echo of 32 bytes of text, 64 connections, 16 messages in flight on each",
    peers,
    targets: { ws: "≥ 6 ×" },
    load,
    config: { connections: 64, inFlight: 16, messageBytes: 32, binary: false },
  }),
  workRow({
    name: "ws-echo-16k",
    title: "echo of 16 KiB of bytes, 16 connections, 1 message in flight on each",
    peers,
    targets: { ws: "≥ 1.3 ×" },
    load,
    config: { connections: 16, inFlight: 1, messageBytes: 16_384, binary: true },
  }),
];
