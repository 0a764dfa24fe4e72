// @ts-check
// The servers of siege/ and soak/, each in a process of its own: how they start, count errors and report. The parent process
// gets the port, then a sample for each question: "sample" at once, "settled" after a garbage collection.
import { setTimeout as delay } from "node:timers/promises";
import { serve } from "unichannel";

/**
 * @typedef {object} Sample
 * @property {number} rss in bytes, as the next three
 * @property {number} heap
 * @property {number} external
 * @property {number} peakRss the highest value since the start of the process
 * @property {number} cpu seconds of processor time since the start of the process
 * @property {import("unichannel").ServerStats} stats
 * @property {Record<string, number>} reports texts given to `onError`, and how often each
 */

const MAX_REPORTS = 50;
const MAX_REPORT_LENGTH = 200;

/**
 * Serves `handle` on a free port of 127.0.0.1 and reports to the parent process. `more` adds to each sample.
 * @template {object} More
 * @param {import("unichannel").Handler} handle
 * @param {import("unichannel").ServeOptions} options
 * @param {(server: import("unichannel").Server) => () => More} more
 */
export async function serveMeasured(handle, options, more) {
  /** @type {Record<string, number>} */
  const reports = {};
  const server = await serve(handle, {
    port: 0,
    host: "127.0.0.1",
    onError: (error, { source }) => {
      const what = `${source}: ${error instanceof Error ? error.message : error}`.slice(0, MAX_REPORT_LENGTH);
      if (what in reports || Object.keys(reports).length < MAX_REPORTS) reports[what] = (reports[what] ?? 0) + 1;
    },
    ...options,
  });
  const measure = more(server);

  /** @returns {Sample & More} */
  function sample() {
    const { rss, heapUsed: heap, external } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const peakRss = process.resourceUsage().maxRSS * 1024;
    return { rss, heap, external, peakRss, cpu: (user + system) / 1e6, stats: server.stats(), reports, ...measure() };
  }

  process.on("message", async (question) => {
    if (question === "stop") {
      await server.stop({ graceMs: 5000 });
      process.disconnect?.();
      return;
    }
    if (question === "settled") {
      // Twice: objects that finalizers release are collected the second time.
      for (let times = 0; times < 2; times++) {
        globalThis.gc?.();
        await delay(50);
      }
    }
    process.send?.(sample());
  });
  process.send?.(server.port);
}
