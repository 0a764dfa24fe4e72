// @ts-check
// HTTP load by wrk: much cheaper than any generator in JavaScript, so that the server is what limits.
import { spawnSync } from "node:child_process";
import { openWindow } from "../lib/cpu.js";

/** @type {{ port: number, serverPid: number, seconds: number, warmupSeconds: number, connections: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");

wrk(config.warmupSeconds);
const closeWindow = openWindow(config.serverPid);
const output = wrk(config.seconds);
const window = closeWindow();
const operations = Number(/(\d+) requests in/.exec(output)?.[1]);
if (!(operations > 0) || /Socket errors|Non-2xx/.test(output)) throw new Error(`wrk: ${output}`);
process.send?.({ operations, ...window });

/** wrk counts in whole seconds. @param {number} seconds */
function wrk(seconds) {
  const duration = `${Math.max(1, Math.round(seconds))}s`;
  const url = `http://127.0.0.1:${config.port}/`;
  return spawnSync("wrk", ["-t1", `-c${config.connections}`, `-d${duration}`, url], { encoding: "utf8" }).stdout;
}
