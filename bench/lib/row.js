// @ts-check
// A row: one kind of work, the servers that compete in it, how a round is measured and what a table shows of it.
import { residentBytes } from "./cpu.js";
import { startLoad, startServer } from "./processes.js";

/**
 * What the command line decides for all rows.
 * @typedef {object} Options
 * @property {number} seconds length of a measured window
 * @property {number} warmupSeconds
 * @property {number} connections of the rows that measure memory
 * @property {string} serverCore
 * @property {string} loadCore
 */

/** What one round of one peer gave: plain numbers, kept raw. @typedef {Record<string, number>} Sample */

/** One server in a row. @typedef {{ peer: string, command: string }} Contender */

/**
 * @typedef {object} Column
 * @property {string} key of the sample
 * @property {string} title
 * @property {number} [digits]
 */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} title
 * @property {Readonly<Record<string, string>>} peers name → file in bench/servers and its arguments; the first is compared
 *   with the others
 * @property {Readonly<Record<string, string>>} targets peer → what we want to be beside it, for the reader; nothing is asserted
 * @property {readonly Column[]} columns the first is the one compared
 * @property {string} load the generator's file in bench/load
 * @property {{ name: string, title: string, x: number, unit: string }} [curve] whose point it is
 * @property {(contender: Contender, options: Options) => Promise<Sample>} round
 */

/**
 * A row of operations per second: more is better.
 * @param {object} facts
 * @param {string} facts.name
 * @param {string} facts.title
 * @param {Row["peers"]} facts.peers
 * @param {Row["targets"]} [facts.targets]
 * @param {string} facts.load
 * @param {{ connections: number } & Record<string, unknown>} facts.config for the generator
 * @param {Readonly<Record<string, object>>} [facts.configs] peer → what is different for it
 * @returns {Row}
 */
export function workRow({ name, title, peers, targets = {}, load, config, configs = {} }) {
  return {
    name,
    title,
    peers,
    targets,
    load,
    columns: [
      { key: "perCpuSecond", title: "per CPU-second" },
      { key: "perSecond", title: "per second" },
      { key: "serverCpuShare", title: "server CPU", digits: 2 },
      { key: "generatorCpuShare", title: "load CPU", digits: 2 },
    ],
    async round({ peer, command }, { seconds, warmupSeconds, serverCore, loadCore }) {
      const server = await startServer(peer, command, { core: serverCore });
      try {
        const target = { port: server.port, serverPid: server.pid, seconds, warmupSeconds };
        const generator = startLoad(load, { ...config, ...configs[peer], ...target }, { core: loadCore });
        try {
          return rates(await generator.next(seconds * 1000));
        } finally {
          await generator.stop();
        }
      } finally {
        await server.stop();
      }
    },
  };
}

/**
 * @param {{ operations: number, latencies?: Record<string, number> }
 *   & ReturnType<ReturnType<typeof import("./cpu.js").openWindow>>} report
 */
function rates({ latencies, ...window }) {
  const { operations, seconds, serverCpuSeconds, serverWaitSeconds, generatorCpuSeconds } = window;
  return {
    perCpuSecond: operations / serverCpuSeconds,
    perSecond: operations / seconds,
    serverCpuShare: serverCpuSeconds / seconds,
    serverWaitShare: serverWaitSeconds / seconds,
    generatorCpuShare: generatorCpuSeconds / seconds,
    ...window,
    ...latencies,
  };
}

/** A share of the window that the server waited for its core, above which something else was at work there. */
const DISTURBED = 0.1;

/** @param {Sample} sample */
export function isDisturbed({ serverWaitShare = 0 }) {
  return serverWaitShare > DISTURBED;
}

/** Opened before the first measurement, so that what code and warm-up cost is not counted as connections. */
const FIRST_CONNECTIONS = 100;

/**
 * A row of memory for connections that do nothing: less is better.
 * @param {object} facts
 * @param {string} facts.name
 * @param {string} facts.title
 * @param {Row["peers"]} facts.peers
 * @param {Row["targets"]} [facts.targets]
 * @param {boolean} facts.webSocket
 * @param {readonly string[]} [facts.fields] of the request
 * @returns {Row}
 */
export function memoryRow({ name, title, peers, targets = {}, webSocket, fields = [] }) {
  const load = "idle.js";
  return {
    name,
    title,
    peers,
    targets,
    load,
    columns: [
      { key: "rssKb", title: "RSS kB each", digits: 2 },
      { key: "heapKb", title: "heap kB each", digits: 2 },
      { key: "connections", title: "connections" },
    ],
    async round({ peer, command }, { connections, serverCore, loadCore }) {
      const openFiles = connections + FIRST_CONNECTIONS;
      const server = await startServer(peer, command, { core: serverCore, openFiles, nodeArgs: ["--expose-gc"] });
      /** @type {ReturnType<typeof startLoad>[]} */
      const generators = [];
      /** @param {number} count */
      const open = async (count) => {
        const config = { port: server.port, connections: count, webSocket, fields };
        const generator = startLoad(load, config, { core: loadCore, openFiles: count });
        generators.push(generator);
        await generator.next();
      };
      // A poll is not answered: the generator cannot tell when the server has read it.
      /** @param {number} count */
      const memoryWith = async (count) => {
        let memory = await server.memory();
        for (let tries = 1; memory.open !== count && tries < 20; tries++) memory = await server.memory();
        if (memory.open !== count) throw new Error(`${memory.open} of ${count} connections are open`);
        return memory;
      };
      try {
        await open(FIRST_CONNECTIONS);
        const before = await memoryWith(FIRST_CONNECTIONS);
        await open(connections);
        const after = await memoryWith(FIRST_CONNECTIONS + connections);
        return {
          rssKb: (after.rss - before.rss) / 1000 / connections,
          heapKb: (after.heapUsed - before.heapUsed) / 1000 / connections,
          connections,
          rssBefore: before.rss,
          rssAfter: after.rss,
          heapBefore: before.heapUsed,
          heapAfter: after.heapUsed,
          externalBefore: before.external,
          externalAfter: after.external,
        };
      } finally {
        for (const generator of generators) await generator.stop();
        await server.stop();
      }
    },
  };
}

/**
 * A row of milliseconds from the start of the process until it listens: less is better.
 * @param {Pick<Row, "name" | "title" | "peers">} facts
 * @returns {Row}
 */
export function startRow(facts) {
  return {
    ...facts,
    targets: {},
    load: "none",
    columns: [
      { key: "startMs", title: "ms until it listens" },
      { key: "rssMb", title: "RSS MB", digits: 1 },
    ],
    async round({ peer, command }, { serverCore }) {
      const begin = performance.now();
      const server = await startServer(peer, command, { core: serverCore });
      const startMs = performance.now() - begin;
      try {
        return { startMs, rssMb: residentBytes(server.pid) / 1e6 };
      } finally {
        await server.stop();
      }
    },
  };
}
