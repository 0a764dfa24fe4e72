// @ts-check
// A row: one kind of work, the servers that compete in it, the measurement of a round and the columns of its table.
import { cpuSecondsOf, residentBytes } from "./cpu.js";
import { hasCommand } from "./machine.js";
import { startBroker, startLoad, startServer } from "./processes.js";

/**
 * Options of the command line, for all rows.
 * @typedef {object} Options
 * @property {number} seconds length of a measured window
 * @property {number} warmupSeconds
 * @property {number} connections of the rows that measure memory, and of the one that restarts its server
 * @property {number} mostConnections of the rows of work
 * @property {string} serverCore
 * @property {string} loadCore
 * @property {boolean} countsInstructions HTTP load by our own generator, not by wrk
 */

/** The raw numbers of one round of one peer. @typedef {Record<string, number>} Sample */

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
 * @property {Readonly<Record<string, string>>} targets peer → the ratio to it that we want, for readers; not asserted
 * @property {readonly Column[]} columns the first is the one compared
 * @property {string} load the generator's file in bench/load
 * @property {boolean} [lessIsBetter] for the compared column
 * @property {readonly string[]} [brief] the peers of a run without `--full`, if not all
 * @property {"headline" | "extra"} [rank] headlines are on the front page's chart; extra rows run only by
 *   name or with `--full`
 * @property {Readonly<Record<string, string>>} [without] peer → why it cannot do this row
 * @property {{ name: string, title: string, x: number, unit: string }} [curve] the curve of which the row is a point
 * @property {boolean} [isPoint] the row is only a point of a curve
 * @property {(options: Options) => number} seconds the approximate time of a round
 * @property {(contender: Contender, options: Options) => Promise<Sample>} round
 */

/** The name of the peer that is our server in another checkout. */
export const BEFORE = "before";

/** The start of a server and a generator, and their end. */
const START_SECONDS = 0.6;
const BROKER_SECONDS = 0.4;
const OPENED_PER_SECOND = 5000;

/**
 * A row of operations per second: more is better.
 * @param {object} facts
 * @param {string} facts.name
 * @param {string} facts.title
 * @param {Row["peers"]} facts.peers
 * @param {Row["targets"]} [facts.targets]
 * @param {Row["brief"]} [facts.brief]
 * @param {Row["rank"]} [facts.rank]
 * @param {Row["without"]} [facts.without]
 * @param {Row["curve"]} [facts.curve]
 * @param {boolean} [facts.isPoint]
 * @param {string} facts.load a file of `load/`, or "http": wrk where it is installed, because it costs the load's core much less
 * @param {{ connections: number } & Record<string, unknown>} facts.config for the generator
 * @param {Readonly<Record<string, object>>} [facts.configs] peer → settings that differ for it
 * @param {number} [facts.turnSeconds] the approximate additional time because the window and its warm-up end with a turn
 * @param {number} [facts.processes] of the server, which share its core
 * @param {Readonly<Record<string, import("./processes.js").BrokerName>>} [facts.brokers] peer → the broker between its processes; the broker's
 *   port is the last argument of the servers
 * @returns {Row}
 */
export function workRow({ peers, targets = {}, load, config, configs = {}, turnSeconds = 0, ...more }) {
  const { processes = 1, brokers = {}, ...facts } = more;
  return {
    ...facts,
    peers,
    targets,
    load,
    columns: [
      { key: "perCpuSecond", title: "per CPU-second" },
      { key: "perSecond", title: "per second" },
      { key: "instructionsEach", title: "instructions each" },
      { key: "p50", title: "p50 ms", digits: 2 },
      { key: "p99", title: "p99 ms", digits: 2 },
      { key: "serverCpuShare", title: "server CPU", digits: 2 },
      { key: "generatorCpuShare", title: "load CPU", digits: 2 },
    ],
    seconds: (options) => {
      const { seconds, warmupSeconds, mostConnections } = options;
      const opening = Math.min(config.connections, mostConnections) / OPENED_PER_SECOND;
      // wrk only takes whole seconds.
      const window = generatorOf(load, options) === "http-wrk.js" ? Math.max(1, Math.round(seconds)) : seconds;
      const started = START_SECONDS * processes + Object.keys(brokers).length * BROKER_SECONDS;
      return started + warmupSeconds + window + opening + turnSeconds * (mostConnections < config.connections ? 0 : 1);
    },
    round: (contender, options) =>
      withLoad({ load, config, configs, processes, brokers }, contender, options, async (generator) =>
        rates(await generator.next(options.seconds * 1000)),
      ),
  };
}

/**
 * The generator and the servers of a work row.
 * @typedef {object} Work
 * @property {string} load
 * @property {{ connections: number } & Record<string, unknown>} config
 * @property {Readonly<Record<string, object>>} [configs]
 * @property {number} [processes]
 * @property {Readonly<Record<string, import("./processes.js").BrokerName>>} [brokers]
 */

/**
 * Starts what a round needs (broker, servers, generator), and stops it when `use` is over.
 * @template Result
 * @param {Work} work
 * @param {Contender} contender
 * @param {Options} options
 * @param {(generator: ReturnType<typeof startLoad>) => Promise<Result>} use
 */
export async function withLoad(work, { peer, command }, options, use) {
  const { load, config, configs = {}, processes = 1, brokers = {} } = work;
  const { seconds, warmupSeconds, mostConnections, serverCore, loadCore } = options;
  const connections = Math.min(config.connections, mostConnections);
  /** @type {{ stop(): Promise<void> }[]} */
  const started = [];
  try {
    // Our server of another checkout (`--before`) needs the same as ours.
    const broker = brokers[peer === BEFORE ? "unichannel" : peer];
    let server = command;
    if (broker !== undefined) {
      const { port, stop } = await startBroker(broker, { core: loadCore });
      started.push({ stop });
      server += ` ${port}`;
    }
    const servers = [];
    for (let i = 0; i < processes; i++) {
      const place = { core: serverCore, openFiles: connections };
      const one = await startServer(peer, server, place);
      servers.push(one);
      started.push(one);
    }
    const ports = servers.map(({ port }) => port);
    const serverPids = servers.flatMap(({ pids }) => pids);
    const target = { port: ports[0], ports, serverPids, seconds, warmupSeconds };
    const generator = startLoad(
      generatorOf(load, options),
      { ...config, ...configs[peer], ...target, connections },
      { core: loadCore, openFiles: connections },
    );
    started.push(generator);
    return await use(generator);
  } finally {
    for (const child of started.reverse()) await child.stop();
  }
}

/** @param {string} load @param {Options} options */
function generatorOf(load, { countsInstructions }) {
  if (load !== "http") return load;
  return hasCommand("wrk") && !countsInstructions ? "http-wrk.js" : "http-raw.js";
}

/**
 * Throws the error that a generator reports.
 * @param {{ operations: number, latencies?: Record<string, number>, error?: string }
 *   & ReturnType<ReturnType<typeof import("./cpu.js").openWindow>> & { serverInstructions?: number }} report
 */
export function rates({ latencies, error, ...window }) {
  if (error !== undefined) throw new Error(error);
  const { operations, seconds } = window;
  // A number that could not be measured is NaN, which a message between processes makes null.
  const per = (/** @type {number | null | undefined} */ count, /** @type {number} */ of) => (count ?? Number.NaN) / of;
  return {
    perCpuSecond: operations / (window.serverCpuSeconds ?? Number.NaN),
    perSecond: operations / seconds,
    instructionsEach: per(window.serverInstructions, operations),
    serverCpuShare: per(window.serverCpuSeconds, seconds),
    serverWaitShare: per(window.serverWaitSeconds, seconds),
    generatorCpuShare: per(window.generatorCpuSeconds, seconds),
    ...window,
    ...latencies,
  };
}

/** If the server waited for its core for more than this share of the window, another program used the core. */
const DISTURBED = 0.1;

/** @param {Sample} sample */
export function isDisturbed({ serverWaitShare = 0 }) {
  return serverWaitShare > DISTURBED;
}

/** Connections opened before the first measurement, so that the memory of code and warm-up is not counted. */
const FIRST_CONNECTIONS = 100;

/**
 * A row of memory for connections that do nothing: less is better.
 * @param {object} facts
 * @param {string} facts.name
 * @param {string} facts.title
 * @param {Row["peers"]} facts.peers
 * @param {Row["targets"]} [facts.targets]
 * @param {Row["brief"]} [facts.brief]
 * @param {Row["without"]} [facts.without]
 * @param {"webSocket" | "request"} facts.kind of each connection
 * @param {Readonly<Record<string, string>>} [facts.kinds] peer → the kind of its connections, if it differs; load/idle.js has all kinds
 * @param {Row["rank"]} [facts.rank]
 * @param {readonly string[]} [facts.fields] of the request
 * @returns {Row}
 */
export function memoryRow({ peers, targets = {}, kind, kinds = {}, fields = [], ...facts }) {
  const load = "idle.js";
  return {
    ...facts,
    peers,
    targets,
    load,
    lessIsBetter: true,
    // Two garbage collections with their pauses, twice.
    seconds: ({ connections }) => START_SECONDS + 0.8 + connections / OPENED_PER_SECOND,
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
        const config = { port: server.port, connections: count, kind: kinds[peer] ?? kind, fields };
        const generator = startLoad(load, config, { core: loadCore, openFiles: count });
        generators.push(generator);
        // Some handshakes are slow, and some machines are busy.
        await generator.next(count * 10);
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
 * @param {Pick<Row, "name" | "title" | "peers" | "brief" | "rank"> & { prepare(): Promise<void>, targets?: Row["targets"] }} facts
 *   `prepare` makes what the peers need, before anything is measured
 * @returns {Row}
 */
export function startRow({ prepare, targets = {}, ...facts }) {
  return {
    ...facts,
    targets,
    load: "none",
    lessIsBetter: true,
    seconds: () => START_SECONDS / 2,
    columns: [
      { key: "startMs", title: "ms until it listens" },
      { key: "rssMb", title: "RSS MB", digits: 1 },
    ],
    async round({ peer, command }, { serverCore }) {
      await prepare();
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

/**
 * A row of seconds from the restart of a server until all its clients are back: less is better.
 * @param {Pick<Row, "name" | "title" | "peers" | "targets" | "without">} facts
 * @returns {Row}
 */
export function restartRow(facts) {
  const load = "reconnect.js";
  return {
    ...facts,
    load,
    lessIsBetter: true,
    columns: [
      { key: "allBackSeconds", title: "s until all are back", digits: 2 },
      { key: "p50Seconds", title: "p50 s", digits: 2 },
      { key: "p99Seconds", title: "p99 s", digits: 2 },
      { key: "errors", title: "errors" },
      { key: "refused", title: "nobody listened" },
      { key: "serverCpuSeconds", title: "server CPU s", digits: 2 },
      { key: "connections", title: "clients" },
    ],
    // Clients are told to come back within five seconds.
    seconds: ({ connections }) => 2 * START_SECONDS + 6 + connections / OPENED_PER_SECOND,
    async round({ peer, command }, { connections, serverCore, loadCore }) {
      const place = { core: serverCore, openFiles: connections };
      const first = await startServer(peer, command, place);
      const started = [first];
      const generator = startLoad(load, { port: first.port, connections }, { core: loadCore, openFiles: connections });
      try {
        await generator.next(connections * 10);
        const back = generator.next(connections * 10);
        back.catch(() => {});
        await first.end();
        const second = await startServer(peer, `${command} ${first.port}`, place);
        started.push(second);
        const report = await back;
        return { ...report, serverCpuSeconds: cpuSecondsOf([second.pid]), connections };
      } finally {
        await generator.stop();
        for (const server of started) await server.stop();
      }
    },
  };
}
