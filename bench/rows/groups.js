// @ts-check
// One message to many, as in a chat room, a dashboard or a game. The work is one socket write for each member,
// and the server's own work.
import { workRow } from "../lib/row.js";

const webSockets = {
  unichannel: "fan-out-unichannel.js",
  ws: "fan-out-ws.js",
  "uWebSockets.js": "fan-out-uws.js",
  "unichannel on uWebSockets.js": "fan-out-unichannel-uws.js",
  "node:net": "fan-out-net.js",
};
const rooms = { unichannel: "room-unichannel.js", "node:http": "room-node.js" };
const NO_STREAMS = "it has no event streams";
const NO_POLLS = "it has no long polling";

/** @param {number} burst */
const manner = (burst) => (burst === 1 ? "one message at a time" : `${burst} messages in one turn`);

/** @param {number} members @param {number} burst @param {Partial<Parameters<typeof workRow>[0]> & { name: string }} facts */
function publish(members, burst, facts) {
  return workRow({
    title: `deliveries of 128 bytes of text to ${members.toLocaleString("en-US")} WebSockets, ${manner(burst)}`,
    peers: webSockets,
    brief: ["unichannel", "ws"],
    load: "fan-out.js",
    config: { connections: members, burst, messageBytes: 128 },
    ...facts,
  });
}

/** A point of the curve by members. @param {number} members @param {Partial<Parameters<typeof workRow>[0]> & { name: string }} facts */
function publishOne(members, facts) {
  const curve = {
    name: "publish-members",
    title: "deliveries by members of a group, one message at a time",
    unit: "members",
  };
  return publish(members, 1, { ...facts, curve: { ...curve, x: members } });
}

/** @param {Parameters<typeof workRow>[0]["config"]["shares"]} shares */
const room = (shares, connections = 1000, burst = 1) => ({ connections, burst, shares });

/** The same to event streams. @param {number} members @param {number} burst @param {Partial<Parameters<typeof workRow>[0]> & { name: string }} facts */
function publishSse(members, burst, facts) {
  return workRow({
    title: `deliveries of 128 bytes of text to ${members.toLocaleString("en-US")} event streams, ${manner(burst)}`,
    peers: { ...rooms, "better-sse": "room-better-sse.js", "node:net": "room-net.js" },
    brief: ["unichannel", "better-sse"],
    without: { "Socket.IO": NO_STREAMS, ws: NO_STREAMS },
    load: "room.js",
    config: room({ stream: 1 }, members, burst),
    ...facts,
  });
}

export const groups = [
  publishOne(1000, {
    name: "publish-1",
    rank: "headline",
    targets: { ws: "≥ 1.15 ×", "node:net": "≥ 0.95 ×", "uWebSockets.js": "≥ 0.85 × (aim)" },
  }),
  publish(1000, 16, {
    name: "publish-16",
    rank: "headline",
    brief: ["unichannel", "ws", "uWebSockets.js"],
    targets: { ws: "≥ 5 ×", "node:net": "≥ 0.9 ×", "uWebSockets.js": "≥ 1 × (aim)" },
  }),
  publishOne(100, { name: "publish-members-100", isPoint: true }),
  publishOne(10_000, { name: "publish-10k-1", targets: { ws: "≥ 1.15 ×" } }),
  publish(10_000, 16, { name: "publish-10k-16", targets: { ws: "≥ 5 ×" } }),
  publishSse(1000, 1, { name: "publish-sse" }),
  publishSse(1000, 16, { name: "publish-sse-16" }),
  publishSse(10_000, 1, { name: "publish-sse-10k-1", rank: "extra" }),
  publishSse(10_000, 16, { name: "publish-sse-10k-16", turnSeconds: 3 }),
  workRow({
    name: "publish-mixed",
    title: "deliveries to a room of 400 WebSockets, 400 event streams and 200 long polls, one message at a time",
    peers: { unichannel: rooms.unichannel, "ws + node:http": rooms["node:http"], "Socket.IO": "room-socketio.js" },
    brief: ["unichannel", "ws + node:http"],
    without: { "Socket.IO with event streams": `${NO_STREAMS}: its room has 400 WebSockets and 600 long polls` },
    load: "room.js",
    config: room({ webSocket: 0.4, stream: 0.4, poll: 0.2 }),
    configs: { "Socket.IO": { shares: { socketIo: 0.4, socketIoPoll: 0.6 } } },
  }),
  workRow({
    name: "wake-polls",
    title: "answers to 1,000 long polls that wait for one message",
    peers: { ...rooms, "Socket.IO": "room-socketio.js" },
    brief: ["unichannel", "node:http"],
    rank: "headline",
    targets: { "node:http": "≥ 1.5 ×" },
    without: { ws: NO_POLLS, "better-sse": NO_POLLS },
    load: "room.js",
    config: room({ poll: 1 }),
    configs: { "Socket.IO": { shares: { socketIoPoll: 1 } } },
  }),
];
