// @ts-check
// `npm run bench:report`: writes results/README.md with its tables and a chart for each row, from the newest raw result of each row. Rows in which others are faster are shown in the same way.
import { mkdirSync, writeFileSync } from "node:fs";
import { chart } from "./lib/chart.js";
import { curves } from "./lib/curves.js";
import { disturbances, MINUTES_COLUMNS, memoryLines, minutesName, minutesTable, newestMinutes } from "./lib/minutes.js";
import { beside, bestPeer, comparedColumn, newest, newestResult, number, RESULTS, values } from "./lib/results.js";
import { summary } from "./lib/stats.js";
import { timeline } from "./lib/timeline.js";
import { applications } from "./rows/applications.js";
import { themes } from "./rows/index.js";
import { TITLES, UNITS } from "./rows/titles.js";
import { besidePublished } from "./scale/published.js";
import { curveTable, scaleCurves, scaleTable } from "./scale/report.js";

/** @typedef {import("./lib/results.js").Measured} Measured */

const charts = new URL("charts/", RESULTS);
mkdirSync(charts, { recursive: true });

const measuredThemes = themes.map(({ title, rows }) => ({ title, measured: rows.flatMap((row) => newest(row) ?? []) }));
const all = measuredThemes.flatMap(({ measured }) => measured);
const whole = all.filter(({ row }) => !row.isPoint);

for (const measured of whole) save(`${measured.row.name}.svg`, chart(group(measured)));
const grown = grownRows();
for (const { name, title, unit, xUnit, lines } of grown) {
  save(`${name}.svg`, curves({ ...titlesOf(name, title), unit: UNITS[unit] ?? unit, xUnit, lines }));
}
const long = applications.flatMap((row) => newestMinutes(row) ?? []);
for (const { row, title, peers } of long) {
  const name = minutesName(row.name);
  save(`${name}.svg`, timeline({ ...titlesOf(name, title), unit: "memory (RSS) in MB", lines: memoryLines(peers) }));
}
/** The newest run of `npm run bench:scale`. @type {(import("./scale/measure.js").ScaleResult & { file: string }) | undefined} */
const scale = newestResult("scale");
const scaled = scale === undefined ? [] : scaleCurves(scale);
for (const { name, title, ...curve } of scaled) save(`${name}.svg`, curves({ ...titlesOf(name, title), ...curve }));
writeFileSync(new URL("README.md", RESULTS), page());
console.log(`${all.length} rows: bench/results/README.md, bench/results/charts/`);

/** @param {string} file @param {string} svg */
function save(file, svg) {
  writeFileSync(new URL(file, charts), svg);
}

/** The title of a chart, and what stands small beneath it. @param {string} name @param {string} exact */
function titlesOf(name, exact) {
  const title = TITLES[name];
  if (title === undefined) throw new Error(`${name}: its chart needs a title in bench/rows/titles.js`);
  return { title, detail: `${name}: ${exact}` };
}

/** The part of a row that a chart draws. @param {Measured} measured */
function group(measured) {
  const { key, title, digits = 0 } = comparedColumn(measured);
  return {
    ...titlesOf(measured.row.name, measured.row.title),
    unit: UNITS[title] ?? title,
    digits,
    lessIsBetter: measured.row.lessIsBetter === true,
    bars: Object.keys(measured.rounds).map((name) => ({ name, ...summary(values(measured, name, key)) })),
  };
}

/** The rows that are points of curves, by curve. */
function grownRows() {
  const names = new Set(all.flatMap(({ row }) => row.curve?.name ?? []));
  return [...names].flatMap((name) => {
    const points = all
      .filter(({ row }) => row.curve?.name === name)
      .sort((a, b) => Number(a.row.curve?.x) - Number(b.row.curve?.x));
    const [first, second] = points;
    if (first?.row.curve === undefined || second === undefined) return [];
    const peers = [...new Set(points.flatMap(({ rounds }) => Object.keys(rounds)))];
    const lines = peers.map((peer) => ({
      name: peer,
      points: points.flatMap((point) => {
        if (!(peer in point.rounds) || point.row.curve === undefined) return [];
        return [{ x: point.row.curve.x, y: summary(values(point, peer, comparedColumn(point).key)).median }];
      }),
    }));
    return [{ ...first.row.curve, xUnit: first.row.curve.unit, unit: comparedColumn(first).title, points, lines }];
  });
}

function page() {
  const machine = all[0]?.machine;
  return `${[
    "# Results",
    "Made by `npm run bench:report` from the newest raw file of each row; [how they are measured](../README.md). Ratios are medians over the rounds of one run, with the lowest and the highest. Where less is better the ratio says so.",
    machine === undefined
      ? ""
      : machineLine(machine) + (all.some(isElsewhere) ? " Rows from another machine name it." : ""),
    summaryTable(),
    ...measuredThemes.flatMap(({ title, measured }) => {
      const sections = measured.filter(({ row }) => !row.isPoint).map(section);
      const ofCurves = grown.filter(({ points }) => points[0] !== undefined && measured.includes(points[0]));
      return sections.length + ofCurves.length === 0 ? [] : [`## ${title}`, ...sections, ...ofCurves.map(curveSection)];
    }),
    ...(long.length === 0 ? [] : ["## Applications over minutes", ...long.map(minutesSection)]),
    ...scaleSections(),
  ].join("\n\n")}\n`;
}

/** @param {Measured["machine"]} machine */
function machineLine(machine) {
  const packages = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`);
  return `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, Node ${machine.node}; ${packages.join(", ")}.`;
}

/** Whether the row was measured on another machine than the first one. @param {Measured} measured */
function isElsewhere({ machine }) {
  const first = all[0]?.machine;
  return machine.cpu !== first?.cpu || machine.node !== first.node;
}

/** All rows at a glance, ours beside the best of the others. */
function summaryTable() {
  return [
    "| row | | ours | best peer | | ours is | wanted |",
    "| --- | --- | ---: | --- | ---: | ---: | --- |",
    ...whole.map((measured) => {
      const { row, rounds } = measured;
      const { key, title, digits } = comparedColumn(measured);
      const [subject = ""] = Object.keys(rounds);
      const best = bestPeer(measured);
      const ratio = best === undefined ? "" : `${number(beside(measured, best.peer).median, 2)} ×`;
      const wanted = Object.entries(row.targets).map(([peer, target]) => {
        if (peer === subject) return target;
        return `${peer} ${target}${peer in rounds && !row.lessIsBetter ? `: ${number(beside(measured, peer).median, 2)} ×` : ""}`;
      });
      return `| ${[
        `[${row.name}](#${row.name})`,
        title,
        number(summary(values(measured, subject, key)).median, digits),
        best?.peer ?? "",
        best === undefined ? "" : number(best.median, digits),
        ratio === "" || !row.lessIsBetter ? ratio : `${ratio}, less is better`,
        wanted.join("; "),
      ].join(" | ")} |`;
    }),
  ].join("\n");
}

/** @param {Measured} measured */
function section(measured) {
  const { row, file, machine, rounds } = measured;
  const column = comparedColumn(measured);
  const [subject = ""] = Object.keys(rounds);
  const tails = ["p50", "p99", "p99.9"].filter(
    (key) =>
      row.columns.some((column) => column.key === key) &&
      Object.values(rounds).some(([sample]) => sample?.[key] !== undefined),
  );
  const lines = Object.keys(rounds).map((peer) => {
    const { median, min, max } = summary(values(measured, peer, column.key));
    const ratio = beside(measured, peer);
    return `| ${[
      peer,
      number(median, column.digits),
      `${number(min, column.digits)}–${number(max, column.digits)}`,
      ...tails.map((key) => number(summary(values(measured, peer, key)).median, 2)),
      peer === subject ? "" : `${number(ratio.median, 2)} × (${number(ratio.min, 2)}–${number(ratio.max, 2)})`,
      row.targets[peer] ?? "",
    ].join(" | ")} |`;
  });
  const without = Object.entries(row.without ?? {}).map(([peer, reason]) => `${peer}: ${reason}`);
  return [
    `### ${row.name}`,
    "",
    `${row.title}. [Raw rounds](${file}), ${machine.date.slice(0, 16).replace("T", " ")} UTC, commit ${machine.commit}${isElsewhere(measured) ? `, on ${machine.cores} cores of an ${machine.cpu}, Node ${machine.node}` : ""}.`,
    "",
    `![${TITLES[row.name]}](charts/${row.name}.svg)`,
    "",
    `| | ${column.title} | lowest–highest | ${tails.map((key) => `${key} ms | `).join("")}${subject} is | wanted |`,
    `| --- | ---: | ---: |${" ---: |".repeat(tails.length)} ---: | --- |`,
    ...lines,
    ...(without.length > 0 ? ["", `Not there: ${without.join("; ")}.`] : []),
  ].join("\n");
}

/** The run of `npm run bench:scale`: its table, and its curves with theirs. */
function scaleSections() {
  if (scale === undefined) return [];
  const { file, machine } = scale;
  return [
    "## Scale",
    `\`npm run bench:scale\`, [one run of ${number(scale.tookSeconds / 60)} minutes](${file}), ${machine.date.slice(0, 16).replace("T", " ")} UTC, commit ${machine.commit}; ` +
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}, Node ${machine.node}. Servers, clients and Redis share these cores; ` +
      `the load average before was ${number(machine.loadAverage, 1)}. [What each line is, and what others have published](../README.md#as-many-connections-as-the-machine-holds).`,
    scaleTable(scale),
    `### Beside what others have published\n\n${besidePublished(scale)}`,
    ...scaled.map(
      (curve) =>
        `### ${curve.name}\n\n${curve.title}. ${curve.note}\n\n![${TITLES[curve.name]}](charts/${curve.name}.svg)\n\n${curveTable(curve)}`,
    ),
  ];
}

/** A curve's table: a line for each of its points. @param {ReturnType<typeof grownRows>[number]} grown */
function curveSection({ name, title, unit, xUnit, points, lines }) {
  const [ours, ...others] = lines;
  return [
    `### ${name}`,
    "",
    `${title}. Raw rounds: ${points.map(({ row, file }) => `[${row.curve?.x}](${file})`).join(", ")}.`,
    "",
    `![${TITLES[name]}](charts/${name}.svg)`,
    "",
    `| ${xUnit} | ${lines.map((line) => `${line.name}, ${unit}`).join(" | ")} | ${others.map((line) => `beside ${line.name}`).join(" | ")} |`,
    `| ---: |${" ---: |".repeat(lines.length + others.length)}`,
    ...(ours?.points ?? []).map(({ x, y }) => {
      const ys = lines.map((line) => line.points.find((point) => point.x === x)?.y);
      return `| ${[
        number(x),
        ...ys.map((value) => (value === undefined ? "" : number(Math.round(value)))),
        ...ys.slice(1).map((value) => (value === undefined ? "" : `${number(y / value, 2)} ×`)),
      ].join(" | ")} |`;
    }),
  ].join("\n");
}

/** @param {import("./lib/minutes.js").Minutes} minutes */
function minutesSection({ row, title, file, machine, options, peers, failed }) {
  const name = minutesName(row.name);
  const failures = Object.entries(failed).map(([peer, reason]) => `${peer}: ${reason}`);
  return [
    `### ${name}`,
    "",
    `${title}; ${options.minutes} minutes for each, a sample each ${options.sampleSeconds} s. [Raw samples](${file}), ${machine.date.slice(0, 16).replace("T", " ")} UTC, commit ${machine.commit}.`,
    "",
    `![${TITLES[name]}](charts/${name}.svg)`,
    "",
    `| ${MINUTES_COLUMNS.join(" | ")} |`,
    `| ---${" | ---:".repeat(MINUTES_COLUMNS.length - 1)} |`,
    ...minutesTable(peers).map((line) => `| ${line.join(" | ")} |`),
    ...[
      ["Left out", failures],
      ["Noise", disturbances(peers)],
    ].flatMap(([what, notes]) =>
      notes?.length ? ["", `${what}: ${/** @type {string[]} */ (notes).join("; ")}.`] : [],
    ),
  ].join("\n");
}
