// @ts-check
// Makes a table of raw rounds.
import { BEFORE, isDisturbed } from "./row.js";
import { ratios, summary } from "./stats.js";

/**
 * Every peer's samples, in the order of the rounds.
 * @typedef {Record<string, import("./row.js").Sample[]>} Rounds
 */

/** A share of its core above which a process counts as busy all the time. */
const BUSY = 0.95;

/**
 * @param {import("./row.js").Row} row
 * @param {Rounds} rounds
 */
export function table(row, rounds) {
  const peers = Object.keys(rounds);
  const [subject = ""] = peers;
  // If CPU time cannot be read, its columns are left out and wall-clock rates are compared.
  const columns = row.columns.filter(({ key }) =>
    peers.some((peer) => rounds[peer]?.some((sample) => Number.isFinite(sample[key]))),
  );
  const compared = columns[0];
  if (compared === undefined) throw new Error("nothing was measured");
  // With `--before` there are two rows, and each ratio is that of this checkout to the other one.
  const isBefore = BEFORE in rounds;
  const ratioTitle = isBefore ? "now / before" : `${subject} is`;
  const head = ["", ...columns.map(({ title }) => title), "lowest–highest", ratioTitle, isBefore ? "" : "wanted"];
  const lines = peers.map((peer) => {
    const values = pick(rounds, peer, compared.key);
    const { min, max } = summary(values);
    const ratio = ratios(pick(rounds, subject, compared.key), values);
    return [
      isBefore && peer === subject ? "now" : peer,
      ...columns.map(({ key, digits }) => number(summary(pick(rounds, peer, key)).median, digits)),
      `${number(min, compared.digits)}–${number(max, compared.digits)}`,
      peer === subject ? "" : `${number(ratio.median, 2)} × (${number(ratio.min, 2)}–${number(ratio.max, 2)})`,
      subject.startsWith("unichannel") && !isBefore ? (row.targets[peer] ?? "") : "",
    ];
  });
  return [align([head, ...lines]), ...warnings(rounds)].join("\n");
}

/** @param {Rounds} rounds */
function warnings(rounds) {
  return Object.keys(rounds).flatMap((peer) => {
    const server = summary(pick(rounds, peer, "serverCpuShare")).median;
    const generator = summary(pick(rounds, peer, "generatorCpuShare")).median;
    const disturbed = (rounds[peer] ?? []).filter(isDisturbed).length;
    const notes = [];
    if (generator > BUSY && server < BUSY) {
      notes.push(`  note: with ${peer} the load generator was the slower side; compare per CPU-second, not per second`);
    }
    if (disturbed > 0)
      notes.push(
        `  note: in ${disturbed} of ${rounds[peer]?.length} rounds of ${peer} other work was on the server's core`,
      );
    return notes;
  });
}

/** @param {Rounds} rounds @param {string} peer @param {string} key */
function pick(rounds, peer, key) {
  return (rounds[peer] ?? []).map((sample) => sample[key] ?? Number.NaN);
}

/** @param {number} value */
function number(value, digits = 0) {
  if (Number.isNaN(value)) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** @param {string[][]} lines */
export function align(lines) {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, c) => (c === 0 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0))))
    .map((line) => `  ${line.join("   ")}`.trimEnd())
    .join("\n");
}
