// @ts-check
// Shared by all load generators: one measured window that is reported once, and exiting with an error.
import { setTimeout as sleep } from "node:timers/promises";
import { canReadCpu, cpuSecondsOf, openWindow } from "./cpu.js";
import { attachCounter } from "./instructions.js";
import { forgetLatencies, latencies } from "./latencies.js";

/**
 * The settings for each generator of a row of work.
 * @typedef {object} LoadConfig
 * @property {number} port of the first server
 * @property {readonly number[]} ports of all
 * @property {readonly number[]} serverPids
 * @property {number} seconds
 * @property {number} warmupSeconds
 * @property {number} [warmupCpuSeconds] of the server, at least: an optimizer counts work, not time
 * @property {number} connections
 */

/**
 * Warms up, measures one window, reports it to the parent process, and ends.
 * @param {Pick<LoadConfig, "serverPids" | "seconds" | "warmupSeconds" | "warmupCpuSeconds">} config
 * @param {() => number} count the operations completed so far
 */
export async function measure({ serverPids, seconds, warmupSeconds, warmupCpuSeconds = 0 }, count) {
  const counter = attachCounter(serverPids);
  await sleep(warmupSeconds * 1000);
  while (hasWorkedLess(serverPids, warmupCpuSeconds)) await sleep(50);
  const closeWindow = beginWindow(serverPids, count, counter);
  await sleep(seconds * 1000);
  closeWindow();
}

/**
 * The same for work in turns that may be longer than the window: the window begins and ends with a turn, so that it counts
 * whole turns, however long a server takes before the first byte of a turn.
 * @param {Pick<LoadConfig, "serverPids" | "seconds" | "warmupSeconds" | "warmupCpuSeconds">} config
 * @param {() => number} count the operations completed so far
 * @returns {() => void} call it when a turn is over and before the next is requested
 */
export function measureTurns({ serverPids, seconds, warmupSeconds, warmupCpuSeconds = 0 }, count) {
  const counter = attachCounter(serverPids);
  let until = performance.now() + warmupSeconds * 1000;
  /** @type {(() => void) | undefined} */
  let closeWindow;
  return () => {
    if (performance.now() < until) return;
    if (closeWindow === undefined && hasWorkedLess(serverPids, warmupCpuSeconds)) return;
    if (closeWindow === undefined) {
      closeWindow = beginWindow(serverPids, count, counter);
      until = performance.now() + seconds * 1000;
    } else {
      closeWindow();
      until = Number.POSITIVE_INFINITY;
    }
  };
}

/**
 * @param {readonly number[]} serverPids @param {() => number} count @param {ReturnType<typeof attachCounter>} counter
 * @returns {() => void} reports, and ends the process
 */
function beginWindow(serverPids, count, counter) {
  const closeWindow = openWindow(serverPids);
  counter?.begin();
  forgetLatencies();
  const before = count();
  return async () => {
    const operations = count() - before;
    counter?.end();
    const report = { operations, latencies: latencies(), ...closeWindow() };
    const serverInstructions = (await counter?.read()) ?? Number.NaN;
    process.send?.({ ...report, serverInstructions }, () => process.exit());
  };
}

/** True while the processes have used less processor time. @param {readonly number[]} pids @param {number} cpuSeconds */
export function hasWorkedLess(pids, cpuSeconds) {
  return canReadCpu && cpuSeconds > 0 && cpuSecondsOf(pids) < cpuSeconds;
}

/** @param {unknown} error @returns {never} */
export function fail(error) {
  console.error(error);
  process.exit(1);
}

/** A server of a benchmark closes nothing by itself. */
export function closedByServer() {
  fail(new Error("the server closed a connection"));
}

/** Connections that are being opened at the same time: less than any server's backlog. */
const BATCH = 200;

/** Calls `open` for 0 to `count` - 1, so many at a time as a backlog takes. @template T @param {number} count @param {(index: number) => Promise<T>} open */
export async function openMany(count, open) {
  const opened = [];
  for (let i = 0; i < count; i += BATCH) {
    const batch = Math.min(BATCH, count - i);
    opened.push(...(await Promise.all(Array.from({ length: batch }, (_, k) => open(i + k)))));
  }
  return opened;
}
