// @ts-check
// HTTP load by wrk: much cheaper than a generator in JavaScript, so that the server is the limit.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWindow } from "../lib/cpu.js";
import { requestOf } from "./http-requests.js";

const config = JSON.parse(process.argv[2] ?? "{}");
const { pipelined = 1 } = config;
const folder = mkdtempSync(join(tmpdir(), "bench-wrk-"));
writeFileSync(join(folder, "load.lua"), script());

// wrk runs for at least a whole second: it is stopped earlier.
wrk(1, config.warmupSeconds * 1000);
const closeWindow = openWindow(config.serverPids);
const output = wrk(config.seconds);
const window = closeWindow();
rmSync(folder, { recursive: true });
const operations = Number(/(\d+) requests in/.exec(output)?.[1]);
const latencies = Object.fromEntries(
  [...output.matchAll(/^latency (\S+) ([1-9]\d*)$/gm)].map(([, name, micros]) => [name, Number(micros) / 1000]),
);
// With a connection for each request, wrk counts an early end by the server as a read error; and on a busy machine some answers take more than its 2 s.
const errors = /Socket errors: (.*)/.exec(output)?.[1];
const isExpected = errors === undefined || (config.close && /^connect 0, read \d+, write 0, timeout \d+$/.test(errors));
if (!(operations > 0) || /Non-2xx/.test(output) || !isExpected) {
  throw new Error(`wrk: ${output}`);
}
process.send?.({ operations, latencies, ...window });

/** wrk only takes whole seconds. @param {number} seconds @param {number} [timeout] in ms, after which it is stopped without a report */
function wrk(seconds, timeout) {
  const duration = `${Math.max(1, Math.round(seconds))}s`;
  const args = ["-t1", `-c${config.connections}`, `-d${duration}`, "-s", join(folder, "load.lua")];
  return spawnSync("wrk", [...args, `http://127.0.0.1:${config.port}/`], { encoding: "utf8", timeout }).stdout;
}

/** Makes the requests once, so that Lua has no work while they are sent. */
function script() {
  const { method, fields, body } = requestOf(config);
  const lines = [
    `wrk.method = ${JSON.stringify(method)}`,
    ...fields.map((field) => {
      const colon = field.indexOf(": ");
      return `wrk.headers[${JSON.stringify(field.slice(0, colon))}] = ${JSON.stringify(field.slice(colon + 2))}`;
    }),
    ...(body === "" ? [] : [`wrk.body = ${JSON.stringify(body)}`]),
    "done = function(summary, latency)",
    ...["50", "99", "99.9"].map((p) => `io.write("latency p${p} ", math.floor(latency:percentile(${p})), "\\n")`),
    "end",
  ];
  if (pipelined > 1) {
    lines.push(
      "init = function()",
      `local one, all = wrk.format(), {}`,
      `for i = 1, ${pipelined} do all[i] = one end`,
      "burst = table.concat(all)",
      "end",
      "request = function() return burst end",
    );
  }
  return `${lines.join("\n")}\n`;
}
