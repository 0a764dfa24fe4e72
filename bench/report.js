// @ts-check
// `npm run bench:report`: from the newest raw result of each row, results/README.md with its tables, a chart for each
// row, and one chart of several rows for the front page. What we lose is drawn like what we win.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chart } from "./lib/chart.js";
import { curves } from "./lib/curves.js";
import { ratios, summary } from "./lib/stats.js";
import { rows } from "./rows/index.js";

/** The rows of the front page. */
const OVERVIEW = ["http-hello", "ws-echo-32-1", "ws-echo-32-16", "publish-1", "publish-16", "wake-polls", "idle-ws"];

const results = new URL("results/", import.meta.url);
const charts = new URL("charts/", results);
mkdirSync(charts, { recursive: true });

const measured = rows.flatMap((row) => {
  const file = newest(row.name);
  return file === undefined ? [] : [{ ...read(file), row, file }];
});

for (const { row, rounds } of measured) {
  if (row.curve !== undefined) continue;
  writeFileSync(new URL(`${row.name}.svg`, charts), chart([group(row, rounds)]));
}
writeFileSync(
  new URL("overview.svg", charts),
  chart(measured.filter(({ row }) => OVERVIEW.includes(row.name)).map(({ row, rounds }) => group(row, rounds))),
);
const grown = grownRows();
for (const { name, title, unit, xUnit, lines } of grown) {
  writeFileSync(new URL(`${name}.svg`, charts), curves({ title, unit, xUnit, lines }));
}
writeFileSync(new URL("README.md", results), page());
console.log(`${measured.length} rows: bench/results/README.md, bench/results/charts/`);

/** @param {string} row @returns {string | undefined} */
function newest(row) {
  return readdirSync(results)
    .filter((name) => /^\d{4}-\d\d-\d\d-/.test(name) && name.slice(11) === `${row}.json`)
    .sort()
    .at(-1);
}

/**
 * @param {string} file
 * @returns {{ machine: ReturnType<typeof import("./lib/machine.js").machineFacts>, rounds: import("./lib/report.js").Rounds }}
 */
function read(file) {
  return JSON.parse(readFileSync(new URL(file, results), "utf8"));
}

/** @param {import("./lib/row.js").Row} row @param {import("./lib/report.js").Rounds} rounds */
function group(row, rounds) {
  const column = comparedColumn(row, rounds);
  return {
    title: row.title,
    unit: column.title,
    digits: column.digits ?? 0,
    bars: Object.entries(rounds).map(([name, samples]) => ({
      name,
      ...summary(samples.map((sample) => sample[column.key] ?? Number.NaN)),
    })),
  };
}

/** The first column of the row that was measured. @param {import("./lib/row.js").Row} row @param {import("./lib/report.js").Rounds} rounds */
function comparedColumn(row, rounds) {
  const samples = Object.values(rounds).flat();
  const column = row.columns.find(({ key }) => samples.some((sample) => typeof sample[key] === "number"));
  if (column === undefined) throw new Error(`${row.name}: nothing was measured`);
  return column;
}

/** The rows that are points of curves, by curve. */
function grownRows() {
  const names = new Set(measured.flatMap(({ row }) => (row.curve === undefined ? [] : [row.curve.name])));
  return [...names].map((name) => {
    const points = measured.filter(({ row }) => row.curve?.name === name);
    const [first] = points;
    if (first?.row.curve === undefined) throw new Error(`${name} has no point`);
    const peers = [...new Set(points.flatMap(({ rounds }) => Object.keys(rounds)))];
    return {
      name,
      title: first.row.curve.title,
      xUnit: first.row.curve.unit,
      unit: comparedColumn(first.row, first.rounds).title,
      points,
      lines: peers.map((peer) => ({
        name: peer,
        points: points.flatMap(({ row, rounds }) => {
          const { key } = comparedColumn(row, rounds);
          const samples = rounds[peer];
          if (samples === undefined || row.curve === undefined) return [];
          return [{ x: row.curve.x, y: summary(samples.map((sample) => sample[key] ?? Number.NaN)).median }];
        }),
      })),
    };
  });
}

/** A curve's table: a line for each of its points. @param {ReturnType<typeof grownRows>[number]} grown */
function curveSection({ name, title, unit, xUnit, points, lines }) {
  const [ours, ...others] = lines;
  return [
    `## ${name}`,
    "",
    `${title}. Raw rounds: ${points.map(({ row, file }) => `[${row.curve?.x}](${file})`).join(", ")}.`,
    "",
    `![${title}](charts/${name}.svg)`,
    "",
    `| ${xUnit} | ${lines.map((line) => `${line.name}, ${unit}`).join(" | ")} | ${others.map((line) => `beside ${line.name}`).join(" | ")} |`,
    `| ---: |${" ---: |".repeat(lines.length + others.length)}`,
    ...(ours?.points ?? []).map(({ x, y }) => {
      const beside = lines.map((line) => line.points.find((point) => point.x === x)?.y);
      return `| ${[
        x.toLocaleString("en-US"),
        ...beside.map((value) => (value === undefined ? "" : Math.round(value).toLocaleString("en-US"))),
        ...beside.slice(1).map((value) => (value === undefined ? "" : `${(y / value).toFixed(2)} ×`)),
      ].join(" | ")} |`;
    }),
  ].join("\n");
}

function page() {
  const single = measured.filter(({ row }) => row.curve === undefined);
  const sections = single.map(({ row, file, machine, rounds }) => {
    const column = comparedColumn(row, rounds);
    const [subject = ""] = Object.keys(rounds);
    /** @param {string} peer */
    const values = (peer) => (rounds[peer] ?? []).map((sample) => sample[column.key] ?? Number.NaN);
    const lines = Object.keys(rounds).map((peer) => {
      const { median, min, max } = summary(values(peer));
      const ratio = ratios(values(subject), values(peer));
      /** @param {number} value */
      const show = (value) =>
        value.toLocaleString("en-US", {
          minimumFractionDigits: column.digits ?? 0,
          maximumFractionDigits: column.digits ?? 0,
        });
      const beside =
        peer === subject ? "" : `${ratio.median.toFixed(2)} × (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`;
      return `| ${peer} | ${show(median)} | ${show(min)}–${show(max)} | ${beside} | ${row.targets[peer] ?? ""} |`;
    });
    return [
      `## ${row.name}`,
      "",
      `${row.title}. [Raw rounds](${file}), ${machine.date.slice(0, 16).replace("T", " ")} UTC, commit ${machine.commit}.`,
      "",
      `![${row.title}](charts/${row.name}.svg)`,
      "",
      `| | ${column.title} | lowest–highest | ${subject} is | wanted |`,
      "| --- | ---: | ---: | ---: | --- |",
      ...lines,
    ].join("\n");
  });
  const machine = measured[0]?.machine;
  return `${[
    "# Results",
    "Made by `npm run bench:report` from the newest raw file of each row; [how they are measured](../README.md). Ratios are medians over the rounds of one run, with the lowest and the highest.",
    machine === undefined
      ? ""
      : `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, Node ${machine.node}; ${Object.entries(
          machine.packages,
        )
          .map(([name, version]) => `${name} ${version}`)
          .join(", ")}.`,
    ...sections,
    ...grown.map(curveSection),
  ].join("\n\n")}\n`;
}
