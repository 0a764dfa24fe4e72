// @ts-check
// Starts the server under test and the load generator, each on its own core.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { endedAtExit, temporaryFolder } from "./at-exit.js";
import { allowedCores, hasCommand, openFilesLimit } from "./machine.js";
import { runtimeArgs, runtimeOf } from "./peers.js";

const canPin = hasCommand("taskset") && allowedCores().length > 1;
/** A child that is silent for this long, in addition to its window, hangs and is ended. */
const PATIENCE_MS = 60_000;
/** Checked once, because the check starts a process. */
const mostOpenFiles = openFilesLimit();

/** Node reads all certificates of NODE_EXTRA_CA_CERTS when it starts: 420 of the 550 million instructions of a process that does nothing. */
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;

/**
 * @typedef {object} Pinned
 * @property {string} core an argument of `taskset -c`
 * @property {number} [openFiles] the number of files and sockets that it will have open
 * @property {readonly string[]} [nodeArgs]
 * @property {string} [runtime] the runtime, if it is not this Node
 */

/**
 * Starts a peer's server and waits until it listens.
 * @param {string} peer
 * @param {string} command its file in bench/servers, and arguments
 * @param {Pinned} options
 */
export async function startServer(peer, command, options) {
  const [file = "", ...args] = command.split(" ");
  const child = start(isAbsolute(file) ? file : `servers/${file}`, args, { ...options, runtime: runtimeOf(peer) });
  /** @type {{ port: number, pids?: readonly number[] }} */
  const { port, pids = [] } = await answer(child, file);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} has no process id`);
  return {
    port,
    pid,
    /** All processes of this server. */
    pids: [pid, ...pids],
    /** Collects garbage, then returns the memory and the number of clients. Needs --expose-gc. */
    async memory() {
      child.send("memory");
      /** @type {{ open: number, rss: number, heapUsed: number, external: number }} */
      const memory = await answer(child, file);
      return memory;
    },
    /** Asks the server to stop by itself, and waits until it has. Returns the message that it has sent meanwhile. */
    async end() {
      const ended = once(child, "exit");
      /** @type {any} */
      let said;
      child.once("message", (message) => {
        said = message;
      });
      child.send("stop");
      await ended;
      return said;
    },
    stop: () => stop(child),
  };
}

/** @typedef {"redis" | "nats"} BrokerName */

/** The command of each broker, and the line that it prints when it listens. */
const BROKERS = {
  redis: {
    program: "redis-server",
    args: (/** @type {string} */ port) => ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    listens: "Ready to accept",
  },
  nats: {
    program: "nats-server",
    args: (/** @type {string} */ port, /** @type {string} */ folder) => [
      "-a",
      "127.0.0.1",
      "-p",
      port,
      "-js",
      "-sd",
      folder,
    ],
    listens: "Server is ready",
  },
};

/**
 * A broker of our own on a free port, with a folder of its own.
 * @param {BrokerName} name
 * @param {Pinned} options
 */
export async function startBroker(name, { core }) {
  const { program, args, listens } = BROKERS[name];
  const port = await freePort();
  const { folder, remove } = temporaryFolder("bench-");
  const pinned = canPin ? ["taskset", "-c", core] : [];
  const [command = "", ...rest] = [...pinned, program, ...args(String(port), folder)];
  const child = endedAtExit(spawn(command, rest, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] }));
  let said = "";
  await new Promise((resolve, reject) => {
    const listen = (/** @type {string} */ text) => {
      said += text;
      if (said.includes(listens)) resolve(undefined);
    };
    child.stdout.setEncoding("utf8").on("data", listen);
    child.stderr.setEncoding("utf8").on("data", listen);
    child.on("exit", () => reject(new Error(`${program}: ${said}`)));
    child.on("error", reject);
  });
  return {
    port,
    pid: Number(child.pid),
    async stop() {
      await stop(child);
      remove();
    },
  };
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
 * Starts bench/load/FILE. `next` waits for its next report, `busyMs` longer than for a server.
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
    ...(runtime === process.execPath ? nodeArgs : runtimeArgs(runtime)),
    isAbsolute(path) ? path : fileURLToPath(new URL(`../${path}`, import.meta.url)),
    ...args,
  ];
  if (canPin) command.unshift("taskset", "-c", core);
  // Node's own files and some room.
  const needed = openFiles + 200;
  if (needed > mostOpenFiles) {
    if (!hasCommand("prlimit") || process.getuid?.() !== 0) {
      throw new Error(
        `this row opens ${needed} files, and \`ulimit -Hn\` allows ${mostOpenFiles}: raise it for your user ` +
          "(`nofile` in /etc/security/limits.conf), or give --connections a smaller number",
      );
    }
    command.unshift("prlimit", `--nofile=${needed}:${needed}`);
  }
  const [program = "", ...rest] = command;
  return endedAtExit(spawn(program, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"], env: environment }));
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
  const patienceMs = PATIENCE_MS + busyMs;
  let reason = "";
  const timer = setTimeout(() => {
    reason = `: it has reported nothing for ${patienceMs / 1000} s, as when a message that it waits for is lost`;
    child.kill("SIGKILL");
  }, patienceMs);
  const ended = once(child, "exit", { signal: quiet.signal }).then(([code, signal]) => {
    throw new Error(`${file} ended with ${code ?? signal}${reason}`);
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
