// @ts-check
// The price of channels inside a server of Bun or Deno that one has already: the same work by `createFetchHost`, and on the bare
// server.
import { workRow } from "../lib/row.js";

const IN_BUN = "unichannel in Bun.serve";
const IN_DENO = "unichannel in Deno.serve";
/** JavaScriptCore compiles a hot path for the last time after some two seconds of it. */
const warm = { warmupCpuSeconds: 2 };
const requests = { load: "http-raw.js", config: { connections: 64, ...warm } };
const echo = { ...warm, connections: 64, inFlight: 1, messageBytes: 32, binary: false };
/** @type {"extra"} */
const rank = "extra";

export const fetchHost = [
  workRow({
    name: "bun-serve-http-hello",
    title: "inside Bun.serve: GET of 11 bytes, 64 keep-alive connections",
    peers: { [IN_BUN]: "http-unichannel-fetch.js", "Bun.serve": "http-bun.js" },
    rank,
    ...requests,
  }),
  workRow({
    name: "bun-serve-ws-echo-32-1",
    title: "inside Bun.serve: echo of 32 bytes of text, 64 connections, 1 message in flight on each",
    peers: { [IN_BUN]: "ws-unichannel-fetch.js", "Bun.serve": "ws-bun.js" },
    rank,
    load: "ws-echo.js",
    config: echo,
  }),
  workRow({
    name: "bun-serve-ws-echo-32-16",
    title: "inside Bun.serve: echo of 32 bytes of text, 64 connections, 16 messages in flight on each",
    peers: { [IN_BUN]: "ws-unichannel-fetch.js", "Bun.serve": "ws-bun.js" },
    rank,
    load: "ws-echo.js",
    config: { ...echo, inFlight: 16 },
  }),
  workRow({
    name: "bun-serve-publish-16",
    title: "inside Bun.serve: deliveries of 128 bytes of text to 1,000 WebSockets, 16 messages in one turn",
    peers: { [IN_BUN]: "fan-out-unichannel-fetch.js", "Bun.serve": "fan-out-bun.js" },
    rank,
    load: "fan-out.js",
    config: { ...warm, connections: 1000, burst: 16, messageBytes: 128 },
  }),
  workRow({
    name: "deno-serve-http-hello",
    title: "inside Deno.serve: GET of 11 bytes, 64 keep-alive connections",
    peers: { [IN_DENO]: "http-unichannel-fetch.js", "Deno.serve": "http-deno.js" },
    rank,
    ...requests,
  }),
  workRow({
    name: "deno-serve-ws-echo-32-1",
    title: "inside Deno.serve: echo of 32 bytes of text, 64 connections, 1 message in flight on each",
    peers: { [IN_DENO]: "ws-unichannel-fetch.js", "Deno.serve": "ws-deno.js" },
    rank,
    load: "ws-echo.js",
    config: echo,
  }),
  workRow({
    name: "deno-serve-ws-echo-32-16",
    title: "inside Deno.serve: echo of 32 bytes of text, 64 connections, 16 messages in flight on each",
    peers: { [IN_DENO]: "ws-unichannel-fetch.js", "Deno.serve": "ws-deno.js" },
    rank,
    load: "ws-echo.js",
    config: { ...echo, inFlight: 16 },
  }),
];
