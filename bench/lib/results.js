// @ts-check
// Finds and reads raw results, for the report.
import { readdirSync, readFileSync } from "node:fs";
import { isCompetitor } from "./peers.js";
import { ratios, summary } from "./stats.js";

export const RESULTS = new URL("../results/", import.meta.url);

/**
 * @typedef {object} Measured
 * @property {import("./row.js").Row} row
 * @property {string} file
 * @property {ReturnType<typeof import("./machine.js").machineFacts>} machine
 * @property {import("./report.js").Rounds} rounds
 */

/** The newest result of the row, if there is one. @param {import("./row.js").Row} row @returns {Measured | undefined} */
export function newest(row) {
  const found = newestResult(row.name);
  return found === undefined ? undefined : { ...found, row };
}

/** The newest result of that name, and its file. @param {string} name @returns {any} */
export function newestResult(name) {
  const file = readdirSync(RESULTS)
    .filter((found) => /^\d{4}-\d\d-\d\d-/.test(found) && found.slice(11) === `${name}.json`)
    .sort()
    .at(-1);
  return file === undefined ? undefined : { ...JSON.parse(readFileSync(new URL(file, RESULTS), "utf8")), file };
}

/** The values of a peer's rounds. @param {Measured} measured @param {string} peer @param {string} key */
export function values({ rounds }, peer, key) {
  return (rounds[peer] ?? []).map((sample) => sample[key] ?? Number.NaN);
}

/** The first column of the row that was measured. @param {Measured} measured */
export function comparedColumn({ row, rounds }) {
  const samples = Object.values(rounds).flat();
  const column = row.columns.find(({ key }) => samples.some((sample) => typeof sample[key] === "number"));
  if (column === undefined) throw new Error(`${row.name}: nothing was measured`);
  return column;
}

/** The first peer beside another, round by round. @param {Measured} measured @param {string} peer */
export function beside(measured, peer) {
  const { key } = comparedColumn(measured);
  const [subject = ""] = Object.keys(measured.rounds);
  return ratios(values(measured, subject, key), values(measured, peer, key));
}

/** The peer that does best, us and mere measures left aside; undefined where there is none. @param {Measured} measured */
export function bestPeer(measured) {
  const { key } = comparedColumn(measured);
  const peers = Object.keys(measured.rounds).slice(1).filter(isCompetitor);
  const ranked = peers
    .map((peer) => ({ peer, median: summary(values(measured, peer, key)).median }))
    .sort((a, b) => (measured.row.lessIsBetter ? a.median - b.median : b.median - a.median));
  return ranked[0];
}

/** @param {number} value */
export function number(value, digits = 0) {
  if (Number.isNaN(value)) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
