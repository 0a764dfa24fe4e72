// @ts-check
// The servers of other projects: the package of each, and whether it is installed. They are installed in bench/ alone.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { installLocked } from "../../scripts/lib/install-locked.js";

const BENCH = fileURLToPath(new URL("../", import.meta.url));
const require = createRequire(import.meta.url);

/** Peer → the package that tells whether it is installed. Peers that are not in this table are part of Node, or ours. */
const PACKAGES = new Map([
  ["ws", "ws"],
  ["ws as a string", "ws"],
  ["ws with bufferutil", "bufferutil"],
  ["ws + node:http", "ws"],
  ["Fastify", "fastify"],
  ["Hono", "@hono/node-server"],
  // The tests install socket.io itself in the project's root, without what the row of two processes needs.
  ["Socket.IO", "@socket.io/redis-streams-adapter"],
  ["better-sse", "better-sse"],
  ["uWebSockets.js", "@trufflesuite/uws-js-unofficial"],
  ["unichannel on uWebSockets.js", "@trufflesuite/uws-js-unofficial"],
  ["Bun.serve", "bun"],
  ["unichannel on Bun", "bun"],
  ["unichannel in Bun.serve", "bun"],
  ["Bun.listen", "bun"],
  ["Bun.listen with text", "bun"],
  ["Deno.serve", "deno"],
  ["unichannel on Deno", "deno"],
  ["unichannel in Deno.serve", "deno"],
  ["node:net on Deno", "deno"],
  ["Deno.listen", "deno"],
]);

/** Packages that are runtimes → their program in node_modules. */
const RUNTIMES = new Map([
  ["bun", "bun/bin/bun.exe"],
  ["deno", "deno/deno"],
]);

/** Peers for comparison only, which a user would not use instead: the bare loops, and variants of our own server. */
const MEASURES = [
  "node:net",
  "channel",
  "over Redis",
  "over NATS",
  "direct",
  "our engine",
  "unichannel on uWebSockets.js",
  "unichannel on Bun",
  "unichannel on Deno",
  "unichannel in Bun.serve",
  "unichannel in Deno.serve",
  "node:net on Deno",
  "Bun.listen",
  "Bun.listen with text",
  "Deno.listen",
];

/** @param {string} peer */
export function isCompetitor(peer) {
  return !MEASURES.includes(peer);
}

/** The program that runs the peer's file. @param {string} peer */
export function runtimeOf(peer) {
  const program = RUNTIMES.get(PACKAGES.get(peer) ?? "");
  return program === undefined ? process.execPath : `${BENCH}node_modules/${program}`;
}

/** Arguments that the program needs before the file, if it is not Node. @param {string} program */
export function runtimeArgs(program) {
  return program.endsWith("deno/deno") ? ["run", "--allow-all", "--no-check"] : [];
}

/** Why the peer cannot run here; undefined if it can. @param {string} peer */
export function missing(peer) {
  const name = PACKAGES.get(peer);
  if (name === undefined) return undefined;
  if (RUNTIMES.has(name)) return existsSync(runtimeOf(peer)) ? undefined : `${name} is not installed`;
  try {
    require.resolve(name);
    return undefined;
  } catch {
    return `${name} is not installed`;
  }
}

/** Installs the packages of bench/package.json that are missing; rows run without packages that cannot be installed. */
export function installPeers() {
  const announcement = "installing the servers of others in bench/ (about 250 MB, most of it Bun)";
  if (!installLocked(BENCH, announcement)) console.log("that failed: only what is there is compared");
}
