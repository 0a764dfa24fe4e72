// @ts-check
// One message to many: what a chat room, a dashboard or a game does all day. The work is one socket write for each member,
// and whatever a server adds to it.
import { workRow } from "../lib/row.js";

const peers = {
  unichannel: "fan-out-unichannel.js",
  ws: "fan-out-ws.js",
  "uWebSockets.js": "fan-out-uws.js",
  "node:net": "fan-out-net.js",
};
const load = "fan-out.js";

export const groups = [
  workRow({
    name: "publish-1",
    title: "deliveries of 128 bytes of text to 1,000 WebSockets, one message at a time",
    peers,
    targets: { ws: "≥ 1.15 ×", "uWebSockets.js": "≥ 0.85 × (aim)" },
    load,
    config: { connections: 1000, burst: 1, messageBytes: 128 },
  }),
  workRow({
    name: "publish-16",
    title: "deliveries of 128 bytes of text to 1,000 WebSockets, 16 messages in one turn",
    peers,
    targets: { ws: "≥ 5 ×", "uWebSockets.js": "≥ 1 × (aim)" },
    load,
    config: { connections: 1000, burst: 16, messageBytes: 128 },
  }),
  workRow({
    name: "wake-polls",
    title: "answers to 1,000 long polls that wait for one message",
    peers: { unichannel: "wake-unichannel.js", "node:http": "wake-node.js" },
    targets: { "node:http": "≥ 1.5 ×" },
    load: "wake-polls.js",
    config: { connections: 1000 },
  }),
];
