// @ts-check
// A row of an application: work at the rate of its users, measured in short rounds like other rows, and over minutes.
import { rates, withLoad, workRow } from "./row.js";

/** The window and the warm-up are longer than those of other rows: at a steady rate an optimizer has less work in a second. */
const LONGEST_SECONDS = 2;
const LONGER = 4;
const WARMUP = 3;
/** CPU time of the server in the warm-up at least, by second of the ordinary warm-up. */
const WARMUP_CPU = 0.5;

/**
 * @typedef {import("./row.js").Row & { overMinutes: OverMinutes }} ApplicationRow
 */

/**
 * Measures one peer for `options.seconds`, a window after the other.
 * @callback OverMinutes
 * @param {import("./row.js").Contender} contender
 * @param {import("./row.js").Options & { sampleSeconds: number }} options
 * @param {(sample: import("./row.js").Sample) => void} onSample
 * @returns {Promise<{ samples: import("./row.js").Sample[], all: Record<string, number> }>} `all`: the latencies of all windows
 */

/**
 * @param {Parameters<typeof workRow>[0] & { steady?: object }} facts `steady`: settings of the generator that differ over minutes
 * @returns {ApplicationRow}
 */
export function applicationRow({ steady = {}, ...facts }) {
  const row = workRow(facts);
  return {
    ...row,
    columns: row.columns.flatMap((column) =>
      column.key === "p99" ? [column, { key: "p99.9", title: "p99.9 ms", digits: 2 }] : [column],
    ),
    seconds: (options) => row.seconds(longer(options)) + 1,
    round: (contender, options) => {
      const warm = { warmupCpuSeconds: options.warmupSeconds * WARMUP_CPU };
      const longerOptions = longer(options);
      return withLoad({ ...facts, config: { ...facts.config, ...warm } }, contender, longerOptions, async (generator) =>
        rates(await generator.next(longerOptions.seconds * 1000)),
      );
    },
    overMinutes: (contender, { sampleSeconds, ...options }, onSample) =>
      withLoad(
        { ...facts, config: { ...facts.config, ...steady, sampleSeconds } },
        contender,
        options,
        async (generator) => {
          /** @type {import("./row.js").Sample[]} */
          const samples = [];
          for (;;) {
            const { all, at, ...report } = await generator.next(options.seconds * 1000);
            const sample = { at, ...rates(report) };
            samples.push(sample);
            onSample(sample);
            if (all !== undefined) return { samples, all };
          }
        },
      ),
  };
}

/** @param {import("./row.js").Options} options */
function longer({ seconds, warmupSeconds, ...options }) {
  const windowSeconds = Math.max(seconds, Math.min(LONGEST_SECONDS, seconds * LONGER));
  return { ...options, seconds: windowSeconds, warmupSeconds: warmupSeconds * WARMUP };
}
