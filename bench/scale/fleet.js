// @ts-check
// The processes of a run: servers, a process of clients for each of them, and one Redis. Processes start when they are needed: the first
// ones are full before the next ones begin.
import { setTimeout as sleep } from "node:timers/promises";
import { cpuSecondsOf } from "../lib/cpu.js";
import { allowedCores } from "../lib/machine.js";
import { startBroker } from "../lib/processes.js";
import { number } from "../lib/results.js";
import { Child, owned } from "./child.js";
import { now } from "./clock.js";
import { backlogOverflows, kernelMemory } from "./memory.js";

/** Connections of a pair that are opened before its memory is measured first, so that code and warm-up are not counted. */
const WARM_CONNECTIONS = 100;
/** Pairs that start at the same time. */
const STARTING = 4;
/** Time for the slowest question, such as to receive one message, on a machine that is busy. */
const PATIENCE_MS = 180_000;
/** Time for the connections of one step. */
const OPENING_MS = 600_000;
/** Interval of the lines that tell of the progress of opening. */
const PROGRESS_MS = 15_000;

/** A server and its clients. `warm`: its connections when its memory was measured first. @typedef {{ server: Child, clients: Child, port: number, open: number, warm: number, base: { rss: number, heapUsed: number } }} Pair */

/** A Redis of our own on a free port. */
export async function startRedis() {
  return owned(await startBroker("redis", { core: allowedCores().join(",") }));
}

export class Fleet {
  /** @type {Pair[]} */
  #pairs = [];
  /** Servers that are alive. @type {Pair[]} */
  #alive = [];
  #share;
  #redis;
  #serverOptions;
  #sequence = 0;

  /** @param {{ port: number, pid: number }} redis @param {{ share: number, pingIntervalMs: number | undefined, backlog: number | undefined }} options */
  constructor(redis, { share, ...serverOptions }) {
    this.#redis = redis;
    this.#share = share;
    this.#serverOptions = serverOptions;
  }

  /** The number of connections. */
  get open() {
    return this.#pairs.reduce((sum, { open }) => sum + open, 0);
  }

  get processes() {
    return this.#alive.length;
  }

  /**
   * Opens connections until there are so many. What is counted begins when the processes are there.
   * @param {number} connections @param {(what: string) => void} say
   */
  async openTo(connections, say) {
    const servers = Math.ceil(connections / this.#share);
    while (this.#pairs.length < servers) {
      const count = Math.min(STARTING, servers - this.#pairs.length);
      const first = this.#pairs.length;
      const pairs = await Promise.all(Array.from({ length: count }, (_, i) => this.#start(first + i)));
      this.#pairs.push(...pairs);
      this.#alive.push(...pairs);
    }
    const before = this.open;
    const cpu = this.#cpu();
    const begin = now();
    let missing = connections - before;
    const opening = [];
    for (const pair of this.#pairs) {
      const count = Math.min(missing, this.#share - pair.open);
      if (count <= 0) continue;
      missing -= count;
      pair.open += count;
      opening.push(pair.clients.ask("open", { count }, OPENING_MS));
    }
    const progress = setInterval(async () => {
      const [open, failed] = await Promise.all([this.#counts("open"), this.#counts("failed")]);
      say(`${number(open)} are open, ${number(failed)} attempts failed`);
    }, PROGRESS_MS);
    await Promise.all(opening).finally(() => clearInterval(progress));
    return { opened: connections - before, seconds: (now() - begin) / 1000, ...cpu() };
  }

  /** @param {number} index @returns {Promise<Pair>} */
  async #start(index) {
    const server = new Child("server.js", { redisPort: this.#redis.port, ...this.#serverOptions });
    const { port } = await server.ask("port");
    const clients = new Child("clients.js", { number: index, port, capacity: this.#share }, ["--v8-pool-size=1"]);
    const warm = Math.min(WARM_CONNECTIONS, Math.ceil(this.#share / 10));
    await clients.ask("open", { count: warm });
    return { server, clients, port, open: warm, warm, base: await server.ask("memory") };
  }

  /** The memory of all processes and of the kernel, after a garbage collection everywhere. */
  async memory() {
    const servers = await Promise.all(this.#alive.map(({ server }) => server.ask("memory", {}, PATIENCE_MS)));
    const clients = await Promise.all(this.#pairs.map((pair) => pair.clients.ask("memory", {}, PATIENCE_MS)));
    const bases = this.#alive.map(({ base }) => base);
    const sum = (/** @type {readonly any[]} */ all, /** @type {string} */ key) =>
      all.reduce((total, one) => total + one[key], 0);
    return {
      connections: this.open,
      processes: this.#alive.length,
      members: sum(servers, "open"),
      errors: sum(servers, "errors"),
      warmConnections: sum(this.#alive, "warm"),
      serverBaseRss: sum(bases, "rss"),
      serverBaseHeap: sum(bases, "heapUsed"),
      serverRss: sum(servers, "rss"),
      serverHeap: sum(servers, "heapUsed"),
      clientRss: sum(clients, "rss"),
      kernel: kernelMemory(),
    };
  }

  /** Publishes one message to all, and waits until all have it. */
  async publish() {
    const sequence = ++this.#sequence;
    const publisher = this.#alive[sequence % this.#alive.length];
    const cpu = this.#cpu();
    const pings = await this.#counts("pings");
    const receiving = this.#pairs.map(({ clients }) =>
      clients.ask("receivedAll", { sequence, patienceMs: PATIENCE_MS / 2 }, PATIENCE_MS),
    );
    const [said, ...answers] = await Promise.all([publisher?.server.ask("publish", { sequence }), ...receiving]);
    const { publishedAt } = said;
    const used = cpu();
    const all = answers.reduce((total, { arrivals }) => total + arrivals.length, 0);
    const times = new Float64Array(all);
    let at = 0;
    for (const { arrivals } of answers) {
      times.set(arrivals, at);
      at += arrivals.length;
    }
    times.sort();
    const after = (/** @type {number} */ share) => Number(times[Math.max(0, Math.ceil(share * all) - 1)]) - publishedAt;
    return {
      deliveries: all,
      firstMs: after(0),
      halfMs: after(0.5),
      p99Ms: after(0.99),
      allMs: after(1),
      repeated: answers.reduce((total, answer) => total + answer.repeated, 0),
      pings: answers.reduce((total, answer) => total + answer.pings, 0) - pings,
      ...used,
    };
  }

  /** Leaves the connections alone. @param {number} seconds */
  async idle(seconds) {
    const pings = await this.#counts("pings");
    const cpu = this.#cpu();
    const begin = now();
    await sleep(seconds * 1000);
    const used = cpu();
    const elapsed = (now() - begin) / 1000;
    return { connections: this.open, seconds: elapsed, pings: (await this.#counts("pings")) - pings, ...used };
  }

  /** Each connection sends a message in each interval, and gets it back. @param {number} seconds @param {number} intervalSeconds */
  async exchange(seconds, intervalSeconds) {
    const pings = await this.#counts("pings");
    const cpu = this.#cpu();
    const begin = now();
    const answers = await Promise.all(
      this.#pairs.map(({ clients }) =>
        clients.ask("exchange", { seconds, intervalSeconds }, seconds * 1000 + PATIENCE_MS),
      ),
    );
    const used = cpu();
    const elapsed = (now() - begin) / 1000;
    const latencies = answers.flatMap((answer) => [...answer.latencies]).sort((a, b) => a - b);
    const percentile = (/** @type {number} */ share) =>
      Number(latencies[Math.max(0, Math.ceil(share * latencies.length) - 1)]);
    return {
      connections: this.open,
      seconds: elapsed,
      sent: answers.reduce((sum, { sent }) => sum + sent, 0),
      answered: answers.reduce((sum, { answered }) => sum + answered, 0),
      p50Ms: percentile(0.5),
      p99Ms: percentile(0.99),
      maxMs: percentile(1),
      pings: (await this.#counts("pings")) - pings,
      ...used,
    };
  }

  /** Kills a server, and waits until its clients are back at the others. */
  async kill() {
    const [killed, ...others] = this.#alive;
    if (killed === undefined || others.length === 0)
      throw new Error("only a service of several processes survives one");
    await Promise.all(this.#pairs.map((pair) => pair.clients.ask("ports", { ports: others.map(({ port }) => port) })));
    this.#alive = others;
    const overflows = backlogOverflows();
    const cpu = this.#cpu();
    const killedAt = now();
    await killed.server.stop();
    const { backAt, awayMs, lost, failed } = await killed.clients.ask("back", { lost: killed.open }, PATIENCE_MS);
    const used = cpu();
    const sorted = [...awayMs].sort((a, b) => a - b);
    return {
      lost,
      back: sorted.length,
      failedAttempts: failed,
      backlogOverflows: backlogOverflows() - overflows,
      allBackSeconds: (backAt - killedAt) / 1000,
      p50Seconds: Number(sorted[Math.ceil(sorted.length / 2) - 1]) / 1000,
      p99Seconds: Number(sorted[Math.ceil(sorted.length * 0.99) - 1]) / 1000,
      others: others.length,
      ...used,
    };
  }

  /** Connections that were lost and are not those of the killed server; attempts that failed. */
  async faults() {
    return {
      lost: await this.#counts("lost"),
      failed: await this.#counts("failed"),
      repeated: await this.#counts("repeated"),
    };
  }

  /** Ends all servers and clients, at the same time: the clients of a server that has ended would come back. */
  async stop() {
    await Promise.all(this.#pairs.flatMap(({ server, clients }) => [clients.stop(), server.stop()]));
  }

  /** @param {string} name */
  async #counts(name) {
    const counts = await Promise.all(this.#pairs.map(({ clients }) => clients.ask("counts", {}, PATIENCE_MS)));
    return counts.reduce((sum, count) => sum + count[name], 0);
  }

  /** Starts to measure the processor time, user and system, of the three kinds of processes. The function that it returns ends it. */
  #cpu() {
    const pids = {
      serverCpuSeconds: this.#alive.map(({ server }) => server.pid),
      clientCpuSeconds: this.#pairs.map(({ clients }) => clients.pid),
      redisCpuSeconds: [this.#redis.pid],
    };
    const read = () => Object.entries(pids).map(([name, all]) => /** @type {const} */ ([name, cpuSecondsOf(all)]));
    const before = new Map(read());
    return () =>
      /** @type {Record<keyof typeof pids, number>} */ (
        Object.fromEntries(read().map(([name, seconds]) => [name, seconds - Number(before.get(name))]))
      );
  }
}
