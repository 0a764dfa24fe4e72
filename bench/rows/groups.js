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

/** @param {string} name @param {number} burst @param {import("../lib/row.js").Row["targets"]} targets */
function publish(name, burst, targets) {
  return workRow({
    name,
    title: `deliveries of 128 bytes of text to 1,000 WebSockets, ${burst === 1 ? "one message at a time" : `${burst} messages in one turn`}`,
    peers,
    targets,
    load: "fan-out.js",
    config: { connections: 1000, burst, messageBytes: 128 },
  });
}

export const groups = [
  publish("publish-1", 1, { ws: "≥ 1.15 ×", "uWebSockets.js": "≥ 0.85 × (aim)" }),
  publish("publish-16", 16, { ws: "≥ 5 ×", "uWebSockets.js": "≥ 1 × (aim)" }),
  workRow({
    name: "wake-polls",
    title: "answers to 1,000 long polls that wait for one message",
    peers: { unichannel: "wake-unichannel.js", "node:http": "wake-node.js" },
    targets: { "node:http": "≥ 1.5 ×" },
    load: "wake-polls.js",
    config: { connections: 1000 },
  }),
];
