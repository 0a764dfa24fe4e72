// @ts-check
// Starts the server under test and the load generator, each alone on its core.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { allowedCores, hasCommand, openFilesLimit } from "./machine.js";
import { runtimeOf } from "./peers.js";

const canPin = hasCommand("taskset") && allowedCores().length > 1;
/** A child that is silent for so long, beyond the window that it measures, hangs and is ended. */
const PATIENCE_MS = 60_000;

/**
 * @typedef {object} Pinned
 * @property {string} core what `taskset -c` takes
 * @property {number} [openFiles] how many files and sockets it will have open
 * @property {readonly string[]} [nodeArgs]
 * @property {string} [runtime] what runs it, where it is not this Node
 */

/**
 * Starts a peer's server and waits until it listens.
 * @param {string} peer
 * @param {string} command its file in bench/servers, and arguments
 * @param {Pinned} options
 */
export async function startServer(peer, command, options) {
  const [file = "", ...args] = command.split(" ");
  const child = start(`servers/${file}`, args, { ...options, runtime: runtimeOf(peer) });
  /** @type {{ port: number }} */
  const { port } = await answer(child, file);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} has no process id`);
  return {
    port,
    pid,
    /** Collects garbage, then tells what is left and how many clients are there. Needs --expose-gc. */
    async memory() {
      child.send("memory");
      /** @type {{ open: number, rss: number, heapUsed: number, external: number }} */
      const memory = await answer(child, file);
      return memory;
    },
    stop: () => stop(child),
  };
}

/**
 * A Redis of our own, without a disk, on a free port.
 * @param {Pinned} options
 */
export async function startRedis({ core }) {
  const port = await freePort();
  const command = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  if (canPin) command.unshift("taskset", "-c", core);
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const text of child.stdout.setEncoding("utf8")) if (text.includes("Ready to accept")) break;
  return { port, stop: () => stop(child) };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/**
 * Starts bench/load/FILE. `next` waits for what it reports, `busyMs` longer than for a server.
 * @param {string} file
 * @param {object} config
 * @param {Pinned} options
 */
export function startLoad(file, config, options) {
  const child = start(`load/${file}`, [JSON.stringify(config)], options);
  return { next: (busyMs = 0) => answer(child, file, busyMs), stop: () => stop(child) };
}

/** @param {string} path @param {string[]} args @param {Pinned} options */
function start(path, args, { core, openFiles = 0, nodeArgs = [], runtime = process.execPath }) {
  const command = [
    runtime,
    ...(runtime === process.execPath ? nodeArgs : []),
    fileURLToPath(new URL(`../${path}`, import.meta.url)),
    ...args,
  ];
  if (canPin) command.unshift("taskset", "-c", core);
  // Node's own files and some room.
  const needed = openFiles + 200;
  if (needed > openFilesLimit()) {
    if (!hasCommand("prlimit") || process.getuid?.() !== 0) {
      throw new Error(
        `this row opens ${needed} files, and \`ulimit -Hn\` allows ${openFilesLimit()}: raise it for your user ` +
          "(`nofile` in /etc/security/limits.conf), or give --connections a smaller number",
      );
    }
    command.unshift("prlimit", `--nofile=${needed}:${needed}`);
  }
  const [program = "", ...rest] = command;
  return spawn(program, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
}

/**
 * The next message of the child; rejects when it ends instead.
 * @param {import("node:child_process").ChildProcess} child
 * @param {string} file
 * @param {number} [busyMs]
 * @returns {Promise<any>}
 */
async function answer(child, file, busyMs = 0) {
  const quiet = new AbortController();
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS + busyMs);
  const ended = once(child, "exit", { signal: quiet.signal }).then(([code, signal]) => {
    throw new Error(`${file} ended with ${code ?? signal}`);
  });
  try {
    const [message] = await Promise.race([once(child, "message", { signal: quiet.signal }), ended]);
    return message;
  } finally {
    clearTimeout(timer);
    ended.catch(() => {});
    quiet.abort();
  }
}

/** @param {import("node:child_process").ChildProcess} child */
async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
