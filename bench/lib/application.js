// @ts-check
// Shared by the generators of the application rows: work at a steady rate, windows that are measured while it goes on, and at the
// end the check that everybody has received everything.
import { setTimeout as sleep } from "node:timers/promises";
import { openWindow, residentBytes } from "./cpu.js";
import { faultAfter, hasWorkedLess, refuse } from "./generator.js";
import { attachCounter } from "./instructions.js";
import { allLatencies, forgetLatencies, latencies, nextLatencies } from "./latencies.js";

/**
 * `sampleSeconds`: the length of each window of a long run; one window without it.
 * @typedef {import("./generator.js").LoadConfig & { sampleSeconds?: number }} ApplicationConfig
 */

/** If half of the deliveries take longer than this, in three windows in succession, the server does not keep up: its queue would only grow. */
const BEHIND_MS = 5000;
const BEHIND_WINDOWS = 3;
/** Interval of a steady source's timer. */
const TICK_MS = 5;

/**
 * Measures the work that is under way, ends it, checks that nothing is missing, and reports each window; the last report is sent
 * only after the check.
 * @param {ApplicationConfig} config
 * @param {import("./generator.js").End & { count(): number }} work `count`: the operations completed so far
 */
export async function measureApplication(config, { count, stop, missing }) {
  const { serverPids, seconds, warmupSeconds, warmupCpuSeconds = 0, sampleSeconds = seconds } = config;
  const [serverPid = 0] = serverPids;
  const windows = Math.max(1, Math.round(seconds / sampleSeconds));
  const counter = windows === 1 ? attachCounter(serverPids) : undefined;
  await sleep(warmupSeconds * 1000);
  while (hasWorkedLess(serverPids, warmupCpuSeconds)) await sleep(50);
  forgetLatencies();
  const begin = performance.now();
  let behind = 0;
  for (let ended = 1; ended <= windows; ended++) {
    const closeWindow = openWindow(serverPids);
    counter?.begin();
    const before = count();
    await sleep(begin + ended * sampleSeconds * 1000 - performance.now());
    const operations = count() - before;
    counter?.end();
    const window = { ...closeWindow(), rssMb: residentBytes(serverPid) / 1e6 };
    const report = { operations, latencies: latencies(), ...window };
    nextLatencies();
    behind = Number(report.latencies["p50"]) > BEHIND_MS ? behind + 1 : 0;
    if (behind === BEHIND_WINDOWS) {
      return refuse(`does not keep up: half of the deliveries take longer than ${BEHIND_MS / 1000} s`);
    }
    if (ended < windows) {
      process.send?.({ ...report, at: ended * sampleSeconds });
      continue;
    }
    const serverInstructions = (await counter?.read()) ?? Number.NaN;
    const fault = await faultAfter({ stop, missing });
    if (fault !== undefined) return refuse(fault);
    const end = config.sampleSeconds === undefined ? {} : { at: ended * sampleSeconds, all: allLatencies() };
    process.send?.({ ...report, serverInstructions, ...end }, () => process.exit());
  }
}

/**
 * Calls `act` so many times a second, evenly; a late timer is made up for. Returns a function that ends it.
 * @param {number} perSecond
 * @param {() => void} act
 */
export function steadily(perSecond, act) {
  const begin = performance.now();
  let done = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - begin) / 1000) * perSecond; done < due; done++) act();
  }, TICK_MS);
  return () => clearInterval(timer);
}
