// @ts-check
// Plain HTTP: the cost of a request without an application.
import { hasCommand } from "../lib/machine.js";
import { workRow } from "../lib/row.js";

const peers = {
  unichannel: "http-unichannel.js",
  "node:http": "http-node.js",
  Fastify: "http-fastify.js",
  Hono: "http-hono.js",
  "uWebSockets.js": "http-uws.js",
  "Bun.serve": "http-bun.js",
};
const load = "http";
const config = { connections: 64 };
const brief = ["unichannel", "node:http"];

export const http = [
  workRow({
    name: "http-hello",
    title: "GET of 11 bytes, 64 keep-alive connections",
    peers: { ...peers, "node:net": "http-net.js" },
    rank: "headline",
    brief,
    targets: { "node:http": "≥ 1.8 ×", "node:net": "≥ 0.9 ×", "Bun.serve": "≥ 1 × (aim)" },
    load,
    config,
  }),
  workRow({
    name: "http-20-fields",
    title: "the same with the 20 header fields of a browser",
    peers,
    brief,
    load,
    config: { ...config, browser: true },
  }),
  workRow({
    name: "http-post-1k",
    rank: "extra",
    title: "POST of 1 KiB, its body read before the answer",
    peers,
    brief,
    load,
    config: { ...config, bodyBytes: 1024 },
  }),
  workRow({
    name: "http-pipelined",
    title: "GET of 11 bytes, 16 requests in each segment",
    peers,
    brief,
    load,
    config: { ...config, pipelined: 16 },
  }),
  // The raw generator does not close its connections.
  ...(hasCommand("wrk")
    ? [
        workRow({
          name: "http-churn",
          rank: "extra",
          title: "a connection for each GET",
          targets: { "node:http": "≥ 1.05 ×" },
          peers,
          brief,
          load: "http-wrk.js",
          config: { ...config, close: true },
        }),
      ]
    : []),
];
