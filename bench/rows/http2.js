// @ts-check
// HTTP/2 over TLS: requests and event streams that share connections.
import { workRow } from "../lib/row.js";

/** @param {number} burst @param {{ name: string, title: string }} facts */
const publish = (burst, facts) =>
  workRow({
    peers: { unichannel: "http2-room-unichannel.js", "better-sse": "http2-room-better-sse.js" },
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
  publish(1, {
    name: "http2-publish-sse",
    title: "deliveries of 128 bytes of text to 1,000 event streams on 10 connections of HTTP/2, one message at a time",
  }),
  publish(16, {
    name: "http2-publish-sse-16",
    title:
      "deliveries of 128 bytes of text to 1,000 event streams on 10 connections of HTTP/2, 16 messages in one turn",
  }),
];
