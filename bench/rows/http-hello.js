// @ts-check
// The smallest useful exchange: what a request costs before any application is there.
import { hasCommand } from "../lib/machine.js";
import { workRow } from "../lib/row.js";

export const httpHello = workRow({
  name: "http-hello",
  title: "GET of 11 bytes, 64 keep-alive connections",
  peers: { unichannel: "http-unichannel.js", "node:http": "http-node.js", "node:net": "http-net.js" },
  targets: { "node:http": "≥ 1.7 ×" },
  load: hasCommand("wrk") ? "http-wrk.js" : "http-raw.js",
  config: { connections: 64 },
});
