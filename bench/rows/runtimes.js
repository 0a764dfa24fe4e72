// @ts-check
// Bun and Deno: the same server of ours on each, beside the runtime's own. On Bun ours listens with Bun.listen, on Deno with
// node:net.
import { memoryRow, workRow } from "../lib/row.js";

const OURS_ON_BUN = "unichannel on Bun";
const OURS_ON_DENO = "unichannel on Deno";
/** JavaScriptCore compiles a hot path for the last time after some two seconds of it. */
const warm = { warmupCpuSeconds: 2 };
const requests = { load: "http-raw.js", config: { connections: 64, ...warm } };
const echo = { ...warm, connections: 64, inFlight: 1, messageBytes: 32, binary: false };

/** @param {string} bun */
const onBun = (ours = "", bun = "") => ({ [OURS_ON_BUN]: ours, "Bun.serve": bun });
/** The limit for JavaScript there: loops that speak just enough of the protocol. */
const bunLoops = { "Bun.listen": "ws-bun-listen.js", "Bun.listen with text": "ws-bun-listen.js text" };
/** @param {string} deno */
const onDeno = (ours = "", deno = "") => ({ [OURS_ON_DENO]: ours, "Deno.serve": deno });
/** @type {"extra"} */
const extra = "extra";

export const runtimes = [
  workRow({
    name: "bun-http-hello",
    title: "on Bun: GET of 11 bytes, 64 keep-alive connections",
    peers: onBun("http-unichannel.js", "http-bun.js"),
    rank: extra,
    targets: { "Bun.serve": "≥ 1.1 ×" },
    ...requests,
  }),
  workRow({
    name: "bun-ws-echo-32-1",
    title: "on Bun: echo of 32 bytes of text, 64 connections, 1 message in flight on each",
    peers: { ...onBun("ws-unichannel.js", "ws-bun.js"), ...bunLoops },
    rank: extra,
    targets: { "Bun.serve": "≥ 0.9 ×" },
    load: "ws-echo.js",
    config: echo,
  }),
  workRow({
    name: "bun-ws-echo-32-16",
    title: "on Bun: echo of 32 bytes of text, 64 connections, 16 messages in flight on each",
    peers: { ...onBun("ws-unichannel.js", "ws-bun.js"), ...bunLoops },
    rank: extra,
    targets: { "Bun.serve": "≥ 0.9 ×" },
    load: "ws-echo.js",
    config: { ...echo, inFlight: 16 },
  }),
  workRow({
    name: "bun-publish-16",
    title: "on Bun: deliveries of 128 bytes of text to 1,000 WebSockets, 16 messages in one turn",
    peers: onBun("fan-out-unichannel.js", "fan-out-bun.js"),
    rank: extra,
    targets: { "Bun.serve": "≥ 1 ×" },
    load: "fan-out.js",
    config: { ...warm, connections: 1000, burst: 16, messageBytes: 128 },
  }),
  memoryRow({
    name: "bun-idle-ws",
    title: "on Bun: memory of idle WebSockets",
    peers: onBun("ws-unichannel.js", "ws-bun.js"),
    targets: { [OURS_ON_BUN]: "≤ 2.5 kB" },
    kind: "webSocket",
  }),
  workRow({
    name: "deno-http-hello",
    title: "on Deno: GET of 11 bytes, 64 keep-alive connections",
    peers: {
      ...onDeno("http-unichannel.js", "http-deno.js"),
      "node:net on Deno": "http-net.js",
      "Deno.listen": "http-deno-listen.js",
    },
    rank: extra,
    ...requests,
  }),
  workRow({
    name: "deno-ws-echo-32-1",
    title: "on Deno: echo of 32 bytes of text, 64 connections, 1 message in flight on each",
    peers: onDeno("ws-unichannel.js", "ws-deno.js"),
    rank: extra,
    load: "ws-echo.js",
    config: echo,
  }),
  workRow({
    name: "deno-ws-echo-32-16",
    title: "on Deno: echo of 32 bytes of text, 64 connections, 16 messages in flight on each",
    peers: onDeno("ws-unichannel.js", "ws-deno.js"),
    rank: extra,
    load: "ws-echo.js",
    config: { ...echo, inFlight: 16 },
  }),
];
