// @ts-check
// HTTP/2 over TLS: requests and event streams that share connections, on our server and inside one of node:http2.
import { workRow } from "../lib/row.js";

const engine = "our engine";
const ROOM = "http2-room-unichannel.js";
const ROOM_OF_BETTER_SSE = "http2-room-better-sse.js";

const peers = { unichannel: ROOM, "better-sse": ROOM_OF_BETTER_SSE };
const attachedPeers = { attached: `${ROOM} attached`, "better-sse": ROOM_OF_BETTER_SSE, [engine]: ROOM };

/** @param {number} burst @param {{ name: string, title: string, peers: Record<string, string> }} facts */
const publish = (burst, facts) =>
  workRow({
    targets: { "better-sse": "≥ 1 ×" },
    rank: "extra",
    load: "http2-room.js",
    config: { connections: 10, streams: 100, burst },
    ...facts,
  });

export const http2 = [
  workRow({
    name: "http2-hello",
    title: "GET of 11 bytes over HTTP/2, 10 at a time on each of 8 connections",
    peers: { unichannel: "http2-unichannel.js", "node:http2": "http2-node.js" },
    rank: "extra",
    load: "http2-requests.js",
    config: { connections: 8, streams: 10, body: "hello world" },
  }),
  workRow({
    name: "attach-http2-hello",
    title: "GET of 11 bytes inside node:http2, 10 at a time on each of 8 connections",
    peers: {
      attached: "http2-unichannel.js attached",
      "node:http2": "http2-node.js",
      [engine]: "http2-unichannel.js",
    },
    rank: "extra",
    load: "http2-requests.js",
    config: { connections: 8, streams: 10, body: "hello world" },
  }),
  publish(1, {
    peers,
    name: "http2-publish-sse",
    title: "deliveries of 128 bytes of text to 1,000 event streams on 10 connections of HTTP/2, one message at a time",
  }),
  publish(16, {
    peers,
    name: "http2-publish-sse-16",
    title:
      "deliveries of 128 bytes of text to 1,000 event streams on 10 connections of HTTP/2, 16 messages in one turn",
  }),
  publish(1, {
    peers: attachedPeers,
    name: "attach-http2-publish-sse",
    title: "deliveries of 128 bytes of text to 1,000 event streams inside node:http2, one message at a time",
  }),
  publish(16, {
    peers: attachedPeers,
    name: "attach-http2-publish-sse-16",
    title: "deliveries of 128 bytes of text to 1,000 event streams inside node:http2, 16 messages in one turn",
  }),
];
