// @ts-check
// The parts of a run that need few processes: how the cost of a delivery grows without sockets, how latency grows with groups, and how long
// sessions take to come back.

import { allowedCores } from "../lib/machine.js";
import { restartRow } from "../lib/row.js";
import { Child } from "./child.js";
import { startRedis } from "./fleet.js";

/** Messages of each point, and those before that are not counted. */
const MESSAGES = 200;
const WARM_MESSAGES = 50;
/** Clients that are the members of all groups. */
const MEMBERS = 1000;
/** Groups that take longer to make are left out. */
const MAKING_SECONDS = 45;

/** @param {readonly number[]} sizes */
export async function simulatedDeliveries(sizes) {
  const points = [];
  for (const members of sizes) {
    // A process of its own: what a larger heap costs the next one is not counted.
    const child = new Child("simulated.js", {});
    points.push(await child.ask("measure", { members }, 120_000));
    await child.stop();
  }
  return points;
}

/** @param {readonly number[]} sizes @param {boolean} overRedis @param {(what: string) => void} say */
export async function latencyByGroups(sizes, overRedis, say) {
  const redis = overRedis ? await startRedis() : undefined;
  const server = new Child("groups.js", { redisPort: redis?.port });
  const { port } = await server.ask("port");
  const members = Math.min(MEMBERS, ...sizes);
  const clients = new Child("clients.js", { number: 250, port, capacity: members });
  await clients.ask("open", { count: members });
  const points = [];
  let sequence = 0;
  try {
    for (const groups of sizes) {
      const making = { count: groups, patienceSeconds: MAKING_SECONDS };
      const made = await server.ask("grow", making, MAKING_SECONDS * 2000);
      if (made.groups < groups) {
        say(`${made.groups} of ${groups} groups were made in ${made.seconds.toFixed(0)} s: left out`);
        points.push({ groups, madeGroups: made.groups, makingSeconds: made.seconds });
        break;
      }
      /** @type {number[]} */
      const latencies = [];
      for (let i = 0; i < MESSAGES + WARM_MESSAGES; i++) {
        sequence += 1;
        // A prime step, so that all members take part.
        const group = (sequence * 7919) % groups;
        const [{ arrivedAt }, { publishedAt }] = await Promise.all([
          clients.ask("receivedOne", { sequence }),
          server.ask("publish", { sequence, group }),
        ]);
        if (i >= WARM_MESSAGES) latencies.push(arrivedAt - publishedAt);
      }
      latencies.sort((a, b) => a - b);
      const percentile = (/** @type {number} */ share) => Number(latencies[Math.ceil(share * MESSAGES) - 1]);
      points.push({
        groups,
        messages: MESSAGES,
        p50Ms: percentile(0.5),
        p99Ms: percentile(0.99),
        makingSeconds: made.seconds,
      });
      say(`${groups} groups: p50 ${percentile(0.5).toFixed(2)} ms`);
    }
    return points;
  } finally {
    await clients.stop();
    await server.stop();
    await redis?.stop();
  }
}

/**
 * Sessions whose server stops gracefully and starts again: the row `reconnect` with other numbers.
 * @param {readonly number[]} sizes @param {(what: string) => void} say
 */
export async function reconnects(sizes, say) {
  const file = "restart-unichannel.js";
  const row = restartRow({ name: "reconnect", title: "", peers: { unichannel: file }, targets: {} });
  const [serverCore = 0, loadCore = serverCore] = allowedCores();
  const options = { seconds: 0, warmupSeconds: 0, mostConnections: 0, countsInstructions: false };
  const points = [];
  for (const sessions of sizes) {
    const cores = { serverCore: String(serverCore), loadCore: String(loadCore) };
    const round = await row.round(
      { peer: "unichannel", command: file },
      { ...options, ...cores, connections: sessions },
    );
    const { allBackSeconds = Number.NaN, errors = Number.NaN } = round;
    points.push({ ...round, sessions, allBackSeconds, errors });
    say(`${sessions} sessions: all back after ${allBackSeconds.toFixed(1)} s, ${errors} errors`);
  }
  return points;
}
