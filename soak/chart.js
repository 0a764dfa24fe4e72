// @ts-check
// Lines over time as SVG, one panel below the other, readable on light and dark pages.
import { escapeXml, STYLE } from "../bench/lib/chart.js";

/**
 * @typedef {object} Panel
 * @property {string} title
 * @property {string} unit
 * @property {readonly { name: string, values: readonly number[] }[]} lines the first is drawn strongest
 */

/** @typedef {import("./server.js").Sample & { second: number, perSecond: number }} Measured */

const MIB = 1 << 20;
const WIDTH = 760;
const LEFT = 56;
const RIGHT = 130;
const HEIGHT = 120;
const STEP = 186;
const TOP = 40;

/**
 * The plot of one run.
 * @param {{ minutes: number, machine: { cpu: string, cores: number, node: string }, samples: readonly Measured[] }} result
 */
export function plot({ minutes, machine: { cpu, cores, node }, samples }) {
  return timeChart(
    `${minutes} minutes of every transport and every fault (${cpu}, ${cores} cores, Node ${node})`,
    samples.map(({ second }) => second),
    [
      {
        title: "Memory of the server",
        unit: "MiB",
        lines: [
          { name: "resident", values: samples.map(({ rss }) => rss / MIB) },
          { name: "heap, uncollected", values: samples.map(({ heap, external }) => (heap + external) / MIB) },
        ],
      },
      {
        title: "How late its event loop was",
        unit: "ms",
        lines: [
          { name: "99th percentile", values: samples.map(({ delayP99 }) => delayP99) },
          { name: "most", values: samples.map(({ delayMax }) => delayMax) },
        ],
      },
      {
        title: "Messages checked",
        unit: "per second",
        lines: [{ name: "all but bodies' lines", values: samples.map(({ perSecond }) => perSecond) }],
      },
      {
        title: "Open",
        unit: "",
        lines: [
          { name: "connections", values: samples.map(({ stats }) => stats.connections) },
          {
            name: "channels",
            values: samples.map(({ stats }) => Object.values(stats.channels).reduce((a, b) => a + b, 0)),
          },
        ],
      },
    ],
  );
}

/**
 * @param {string} title
 * @param {readonly number[]} seconds when each value was taken
 * @param {readonly Panel[]} panels
 */
function timeChart(title, seconds, panels) {
  const height = TOP + panels.length * STEP;
  const body = panels.map((panel, index) => draw(panel, seconds, TOP + index * STEP)).join("");
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}">` +
    `<style>${STYLE} .second { stroke-dasharray: 4 3 } .number { text-anchor: end; font-size: 12px }</style>` +
    `<text class="title" x="0" y="16">${escapeXml(title)}</text>${body}</svg>\n`
  );
}

/** @param {Panel} panel @param {readonly number[]} seconds @param {number} top */
function draw({ title, unit, lines }, seconds, top) {
  const last = seconds.at(-1) ?? 1;
  const most = roundUp(Math.max(...lines.flatMap(({ values }) => values)));
  const floor = top + 24 + HEIGHT;
  /** @param {number} second */
  const x = (second) => (LEFT + (second / last) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  /** @param {number} value */
  const y = (value) => (floor - (value / most) * HEIGHT).toFixed(1);
  const grid = [0, most / 2, most].map(
    (value) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/>` +
      `<text class="number" x="${LEFT - 8}" y="${Number(y(value)) + 4}">${value.toLocaleString("en-US")}</text>`,
  );
  const names = apart(
    lines.map(({ values }) => Number(y(values.at(-1) ?? 0))),
    floor,
  );
  const drawn = lines.map(({ name, values }, index) => {
    const points = values.map((value, at) => `${x(seconds[at] ?? 0)},${y(value)}`).join(" ");
    return (
      `<polyline class="line${index === 0 ? " ours" : " second"}" points="${points}"/>` +
      `<text class="unit" x="${WIDTH - RIGHT + 8}" y="${(names[index] ?? 0) + 4}">${escapeXml(name)}</text>`
    );
  });
  const times = [0, last / 2, last].map(
    (second) => `<text class="unit" text-anchor="middle" x="${x(second)}" y="${floor + 16}">${clock(second)}</text>`,
  );
  return (
    `<text class="title" x="0" y="${top + 10}">${escapeXml(title)} <tspan class="unit">${escapeXml(unit)}</tspan></text>` +
    [...grid, ...drawn, ...times].join("")
  );
}

/** Positions that leave a line for each name, none of them below `lowest`. @param {readonly number[]} places @param {number} lowest */
function apart(places, lowest) {
  const order = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place);
  const moved = [...places];
  let least = Number.NEGATIVE_INFINITY;
  for (const { place, index } of order) {
    moved[index] = Math.max(place, least);
    least = (moved[index] ?? 0) + 15;
  }
  const excess = Math.max(0, Math.max(...moved) - lowest);
  return moved.map((place) => place - excess);
}

/** 1, 2 or 5 times a power of ten. @param {number} value */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return power * ([1, 2, 5].find((times) => times * power >= value) ?? 10);
}

/** @param {number} seconds */
function clock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
}
