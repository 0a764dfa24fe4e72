// @ts-check
// The price of being looked at: the same work with an open page of the inspector, which shows the list of channels, and without.
import { workRow } from "../lib/row.js";

const alone = "nobody looks";

export const inspected = [
  workRow({
    name: "inspected-publish-1",
    rank: "extra",
    title: "deliveries of 128 bytes of text to 1,000 WebSockets, one message at a time, with an open inspector",
    peers: { inspected: "fan-out-unichannel.js inspected", [alone]: "fan-out-unichannel.js" },
    targets: { [alone]: "≥ 0.98 ×" },
    load: "fan-out.js",
    config: { connections: 1000, burst: 1, messageBytes: 128 },
  }),
  workRow({
    name: "inspected-ws-echo-16",
    rank: "extra",
    title: "echo of 32 bytes of text, 64 connections, 16 messages in flight on each, with an open inspector",
    peers: { inspected: "ws-unichannel.js inspected", [alone]: "ws-unichannel.js" },
    targets: { [alone]: "≥ 0.98 ×" },
    load: "ws-echo.js",
    config: { connections: 64, inFlight: 16, messageBytes: 32, binary: false },
  }),
];
