// @ts-check
// The measurements of a run, one after the other. All that is started is stopped by the caller (stopAll in child.js).
import { machineFacts } from "../lib/machine.js";
import { number } from "../lib/results.js";
import { latencyByGroups, reconnects, simulatedDeliveries } from "./curves.js";
import { Fleet, startRedis } from "./fleet.js";
import { kernelMemory } from "./memory.js";
import { KEPT_BYTES } from "./plan.js";

/** Where opening stops to measure. */
const STAGES = [100, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000];
/** Deliveries of the measurement at a stage, about. Where these are many messages, the first half is for the optimizer. */
const STAGE_DELIVERIES = 30_000;
const MOST_MESSAGES = 200;
const LEAST_MESSAGES = 3;
const MEMBERS = [100, 1000, 10_000, 100_000];
const GROUPS = [10, 100, 1000, 10_000, 100_000];
const SESSIONS = [1000, 2000, 5000, 10_000, 15_000];
const FEW_SESSIONS = [100, 200];

/**
 * @typedef {object} ScaleOptions
 * @property {number} connections
 * @property {number} servers
 * @property {number} share of each server
 * @property {number} seconds of the two long measurements
 * @property {number} intervalSeconds between two messages of a client that is lightly used
 * @property {number | undefined} pingIntervalMs
 * @property {number | undefined} backlog of the servers
 * @property {boolean} isQuick curves of small numbers
 */

/** @typedef {Awaited<ReturnType<typeof measureScale>>} ScaleResult */

/** @param {ScaleOptions} options @param {(what: string) => void} say */
export async function measureScale(options, say) {
  const begin = performance.now();
  const machine = machineFacts();
  const service = await measureService(options, say);
  const { isQuick } = options;
  const upTo = (/** @type {readonly number[]} */ sizes) => (isQuick ? sizes.slice(0, 2) : sizes);
  say("deliveries without sockets");
  const simulated = await simulatedDeliveries(upTo(MEMBERS));
  say("groups in one process");
  const groups = await latencyByGroups(upTo(GROUPS), false, say);
  say("groups in one process, over Redis");
  const groupsOverRedis = await latencyByGroups(upTo(GROUPS), true, say);
  say("sessions whose server starts again");
  const sessions = await reconnects(isQuick ? FEW_SESSIONS : SESSIONS, say);
  const tookSeconds = (performance.now() - begin) / 1000;
  return { machine, ...options, ...service, simulated, groups, groupsOverRedis, sessions, tookSeconds };
}

/**
 * The service of many processes: it grows, is silent, is used, and loses a process.
 * @param {ScaleOptions} options @param {(what: string) => void} say
 */
async function measureService({ connections, seconds, intervalSeconds, share, pingIntervalMs, backlog }, say) {
  const before = kernelMemory();
  const redis = await startRedis();
  const fleet = new Fleet(redis, { share, pingIntervalMs, backlog });
  const stages = [];
  for (const stage of [...STAGES.filter((size) => size < connections), connections]) {
    const measured = await measureStage(fleet, stage, say);
    stages.push(measured);
    const { opened, seconds: took, messages, kernel } = measured;
    const rate = opened > 0 ? ` at ${number(opened / took)} in a second` : "";
    say(`${number(stage)} open${rate}; a message to all takes ${number(Number(messages.at(-1)?.allMs))} ms`);
    if (kernel.available < KEPT_BYTES / 2) throw new Error("the memory is nearly full: use a smaller --connections");
  }

  say(`idle for ${seconds} s`);
  const idle = await fleet.idle(seconds);
  say(`each sends a message in ${intervalSeconds} s, for ${seconds} s`);
  const light = await fleet.exchange(seconds, intervalSeconds);
  if (light.answered !== light.sent) say(`${light.sent - light.answered} of ${light.sent} messages were not answered`);
  const after = await fleet.memory();
  say("one server is killed");
  const killed = await fleet.kill();
  const publishedAfter = await fleet.publish();
  const reached = number(publishedAfter.deliveries);
  say(`all back after ${number(killed.allBackSeconds, 1)} s, and a message has reached ${reached}`);
  const faults = await fleet.faults();
  await fleet.stop();
  await redis.stop();
  return { before, stages, idle, light, after, killed, publishedAfter, faults };
}

/** @param {Fleet} fleet @param {number} connections @param {(what: string) => void} say */
async function measureStage(fleet, connections, say) {
  const opened = await fleet.openTo(connections, say);
  const memory = await fleet.memory();
  if (memory.members !== connections) throw new Error(`${memory.members} of ${connections} connections are members`);
  const messages = [];
  const count = Math.max(LEAST_MESSAGES, Math.min(MOST_MESSAGES, Math.round(STAGE_DELIVERIES / connections)));
  for (let i = 0; i < count; i++) messages.push(await fleet.publish());
  return { ...opened, ...memory, messages: count > 2 * LEAST_MESSAGES ? messages.slice(count >> 1) : messages };
}
