// @ts-check
// Shared by all load generators: one measured window that is reported once, the check that nothing is missing afterwards, and exiting with an error.
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
 * @property {number} [settleMs] time for the last replies and deliveries to arrive
 */

/** A server that is still behind so long after the end of the work does not keep up with its load. */
const SETTLE_MS = 20_000;

/**
 * The end of the work.
 * @typedef {object} End
 * @property {() => unknown} stop begins nothing new
 * @property {() => string | undefined | Promise<string | undefined>} missing says what has not arrived yet, or has come too often
 */

/**
 * Warms up, measures one window, ends the work, reports the window to the parent process if nothing is missing, and ends.
 * @param {Pick<LoadConfig, "serverPids" | "seconds" | "warmupSeconds" | "warmupCpuSeconds" | "settleMs">} config
 * @param {() => number} count the operations completed so far
 * @param {End} end
 */
export async function measure({ serverPids, seconds, warmupSeconds, warmupCpuSeconds = 0, settleMs }, count, end) {
  const counter = attachCounter(serverPids);
  await sleep(warmupSeconds * 1000);
  while (hasWorkedLess(serverPids, warmupCpuSeconds)) await sleep(50);
  const closeWindow = beginWindow(serverPids, count, counter);
  await sleep(seconds * 1000);
  closeWindow(() => faultAfter(end, settleMs));
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
 * @returns {(toFault?: () => Promise<string | undefined>) => void} reports, unless there is a fault, and ends the process
 */
function beginWindow(serverPids, count, counter) {
  const closeWindow = openWindow(serverPids);
  counter?.begin();
  forgetLatencies();
  const before = count();
  return async (toFault) => {
    const operations = count() - before;
    counter?.end();
    const report = { operations, latencies: latencies(), ...closeWindow() };
    const serverInstructions = (await counter?.read()) ?? Number.NaN;
    const fault = await toFault?.();
    if (fault !== undefined) return refuse(fault);
    process.send?.({ ...report, serverInstructions }, () => process.exit());
  };
}

/**
 * Ends the work. Resolves to undefined when nothing is missing, and still is not a moment later: what came twice may come late. Otherwise to what is
 * missing when the time is over.
 * @param {End} end @param {number} [settleMs]
 */
export async function faultAfter({ stop, missing }, settleMs = SETTLE_MS) {
  await stop();
  const until = performance.now() + settleMs;
  for (let complete = 0; complete < 2; ) {
    const text = await missing();
    if (text !== undefined && performance.now() > until) return `${settleMs / 1000} s after the end ${text}`;
    complete = text === undefined ? complete + 1 : 0;
    await sleep(20);
  }
  return undefined;
}

/** Says what is wrong if a connection still waits for replies, or (below zero) has received too many. @param {readonly number[]} waiting of each connection */
export function unequal(waiting) {
  const tooMany = waiting.filter((replies) => replies < 0).length;
  if (tooMany > 0) return `${tooMany} of ${waiting.length} connections have more replies than requests`;
  const tooFew = waiting.filter((replies) => replies > 0).length;
  return tooFew === 0 ? undefined : `${tooFew} of ${waiting.length} connections wait for replies`;
}

/** Ends the process, and lets the round fail. @param {string} error */
export function refuse(error) {
  process.send?.({ error }, () => process.exit(1));
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
