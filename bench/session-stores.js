// @ts-check
// Time of the moves of 10,000 sessions of 1 kB in a session store, all given at once, with a broker of its own. A second process's
// store takes what the first one has put. `node bench/session-stores.js [--sessions N] [--bytes N] [--rounds N]`, after a build.
import { parseArgs } from "node:util";
import { connect } from "@nats-io/transport-node";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { natsSessions } from "../dist/src/nats.js";
import { redisSessions } from "../dist/src/redis.js";
import { startBroker } from "./lib/processes.js";

const { values } = parseArgs({
  options: {
    sessions: { type: "string", default: "10000" },
    bytes: { type: "string", default: "1024" },
    rounds: { type: "string", default: "3" },
  },
});
const TTL_MS = 60_000;
const snapshot = new Uint8Array(Number(values.bytes)).fill(7);
const tokens = Array.from({ length: Number(values.sessions) }, (_, i) => `process-000.${String(i).padStart(22, "0")}`);

/** @typedef {import("../dist/src/index.js").SessionStore} SessionStore */

console.log(`${tokens.length} sessions of ${snapshot.length} bytes; ms, and ms of this process's CPU\n`);
await redis("Redis, node-redis", (port) => createClient({ url: `redis://127.0.0.1:${port}` }));
await redis("Redis, ioredis", (port) => new Redis(port, "127.0.0.1", { lazyConnect: true }));
await nats();

/**
 * @param {string} name
 * @param {(port: number) => import("../dist/src/redis.js").RedisClient} toClient
 */
async function redis(name, toClient) {
  const broker = await startBroker("redis", { core: "1" });
  const [first, second] = [redisSessions(toClient(broker.port)), redisSessions(toClient(broker.port))];
  await measureAll(name, first, second);
  await broker.stop();
}

async function nats() {
  const broker = await startBroker("nats", { core: "1" });
  const connections = [await natsConnection(broker.port), await natsConnection(broker.port)];
  const [first, second] = connections.map((connection) => natsSessions(connection));
  await measureAll("NATS", /** @type {SessionStore} */ (first), /** @type {SessionStore} */ (second));
  for (const connection of connections) await connection.close();
  await broker.stop();
}

/** @param {number} port */
function natsConnection(port) {
  return connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 });
}

/** @param {string} name @param {SessionStore} first @param {SessionStore} second */
async function measureAll(name, first, second) {
  // Both are connected.
  await Promise.all([first.secret(), second.secret()]);
  for (let round = 1; round <= Number(values.rounds); round++) {
    const times = [
      await measure("put", () => Promise.all(tokens.map((token) => first.put(token, "A", snapshot, TTL_MS)))),
      await measure("take", () => Promise.all(tokens.map((token) => second.take(token, "B", { ttlMs: TTL_MS })))),
      await measure("claim", () => Promise.all(tokens.map((token) => second.claim(token, "B", TTL_MS)))),
      await measure("renew", () => second.renew(tokens, "B", TTL_MS)),
      await measure("forget", () => Promise.all(tokens.map((token) => second.forget(token, "B")))),
    ];
    console.log(`${name}: ${times.join(", ")}`);
  }
  await Promise.all([first.close(), second.close()]);
}

/** @param {string} what @param {() => Promise<unknown>} work */
async function measure(what, work) {
  const began = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return `${what} ${Math.round(performance.now() - began)} (${Math.round((user + system) / 1000)})`;
}
