// @ts-check
// The numbers of an application row over minutes, for its table and its chart.
import { readdirSync, readFileSync } from "node:fs";
import { number, RESULTS } from "./results.js";
import { isDisturbed } from "./row.js";
import { summary } from "./stats.js";

/** @typedef {{ samples: readonly import("./row.js").Sample[], all: Readonly<Record<string, number>> }} Long of one peer */

/**
 * @typedef {object} Minutes
 * @property {import("./row.js").Row} row
 * @property {string} title
 * @property {string} file
 * @property {ReturnType<typeof import("./machine.js").machineFacts>} machine
 * @property {{ minutes: number, sampleSeconds: number }} options
 * @property {Readonly<Record<string, Long>>} peers
 * @property {Readonly<Record<string, string>>} failed peer → why it is left out
 */

/** The name of a row's long result, of its chart and of its title. @param {string} row */
export const minutesName = (row) => `${row}-minutes`;

/** The newest long result of the row, if there is one. @param {import("./row.js").Row} row @returns {Minutes | undefined} */
export function newestMinutes(row) {
  const file = readdirSync(RESULTS)
    .filter((name) => /^\d{4}-\d\d-\d\d-/.test(name) && name.slice(11) === `${minutesName(row.name)}.json`)
    .sort()
    .at(-1);
  return file === undefined ? undefined : { ...JSON.parse(readFileSync(new URL(file, RESULTS), "utf8")), row, file };
}

export const MINUTES_COLUMNS = [
  "",
  "CPU",
  "per CPU-second",
  "p50 ms",
  "p99 ms",
  "p99.9 ms",
  "worst p99 ms",
  "RSS MB, first minute",
  "last minute",
  "peak",
];

/** A line for each peer. @param {Readonly<Record<string, Long>>} peers */
export function minutesTable(peers) {
  return Object.entries(peers).map(([peer, { samples, all }]) => {
    const of = (/** @type {string} */ key) => samples.map((sample) => sample[key] ?? Number.NaN);
    const total = (/** @type {string} */ key) => of(key).reduce((sum, value) => sum + value, 0);
    const last = samples.at(-1)?.["at"] ?? 0;
    const rss = (/** @type {(at: number) => boolean} */ isIn) =>
      summary(samples.filter(({ at = 0 }) => isIn(at)).map(({ rssMb = Number.NaN }) => rssMb)).median;
    return [
      peer,
      `${number((100 * total("serverCpuSeconds")) / total("seconds"), 1)} %`,
      number(total("operations") / total("serverCpuSeconds")),
      ...["p50", "p99", "p99.9"].map((key) => number(all[key] ?? Number.NaN, 2)),
      number(summary(of("p99")).max, 2),
      number(rss((at) => at <= 60)),
      number(rss((at) => at > last - 60)),
      number(summary(of("rssMb")).max),
    ];
  });
}

/** Says in how many samples the server had to wait for its core. @param {Readonly<Record<string, Long>>} peers */
export function disturbances(peers) {
  return Object.entries(peers).flatMap(([peer, { samples }]) => {
    const disturbed = samples.filter(isDisturbed).length;
    return disturbed === 0
      ? []
      : [`in ${disturbed} of ${samples.length} samples of ${peer} other work was on the server's core`];
  });
}

/** The lines of the chart: memory by minutes. @param {Readonly<Record<string, Long>>} peers */
export function memoryLines(peers) {
  return Object.entries(peers).map(([name, { samples }]) => ({
    name,
    points: samples.map(({ at = 0, rssMb = Number.NaN }) => ({ x: at / 60, y: rssMb })),
  }));
}
