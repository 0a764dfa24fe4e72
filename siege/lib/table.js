// @ts-check
// The results of attacks as a table that is readable as text and as Markdown.

const MIB = 1 << 20;
const COLUMNS = [
  ["attack", 20],
  ["s", 4],
  ["RSS MiB: before, peak, after", 28],
  ["heap MiB", 12],
  ["received, unsent MiB", 20],
  ["CPU s", 6],
  ["good client: answers", 20],
  ["worst ms", 8],
  ["settled after s", 15],
  ["", 6],
];

/** @param {readonly import("../run.js").Outcome[]} outcomes @param {boolean} hasHead */
export function table(outcomes, hasHead) {
  const rows = outcomes.map(row);
  const head = hasHead
    ? [COLUMNS.map(([title]) => String(title)), COLUMNS.map(([, width]) => "-".repeat(Number(width)))]
    : [];
  return [...head, ...rows].map(line).join("\n") + (outcomes.length > 1 ? "\n" : "");
}

/** @param {readonly string[]} cells */
function line(cells) {
  return `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(width(i)) : cell.padStart(width(i)))).join(" | ")} |`;
}

/** @param {number} column */
function width(column) {
  return Number(COLUMNS[column]?.[1]);
}

/** @param {import("../run.js").Outcome} outcome */
function row({ name, seconds, before, peak, after, settledAfter, good, failures }) {
  const last = after ?? peak;
  const answers = Object.values(good.answered).reduce((sum, count) => sum + count, 0);
  return [
    name,
    seconds.toFixed(0),
    `${mib(before.rss)}, ${mib(last?.peakRss)}, ${mib(after?.rss)}`,
    `${mib(before.heap)}, ${mib(after?.heap)}`,
    `${mib(last?.receivedPeak)}, ${mib(last?.unsentPeak)}`,
    last === undefined ? "-" : (last.cpu - before.cpu).toFixed(1),
    String(answers),
    Math.max(0, ...Object.values(good.worstMs)).toFixed(0),
    settledAfter.toFixed(0),
    failures.length === 0 ? "held" : "FAILED",
  ];
}

/** @param {number | undefined} bytes */
function mib(bytes) {
  return bytes === undefined ? "-" : (bytes / MIB).toFixed(0);
}
