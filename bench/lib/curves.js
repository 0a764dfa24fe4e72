// @ts-check
// Lines over two logarithmic scales as SVG, to show how cost grows with size.
import { escapeXml, STYLE, titleOf } from "./chart.js";
import { colourClass } from "./colours.js";

/** @typedef {{ name: string, points: readonly { x: number, y: number }[] }} Line the first is ours */

const WIDTH = 440;
const HEIGHT = 345;
const LEFT = 72;
const RIGHT = 108;
const TOP = 77;
const BOTTOM = 44;
/** The width of a character of a label, and the room between two labels. */
const CHARACTER = 7;
const GAP = 6;
/** The least distance between the names of two lines. */
const LABEL_STEP = 15;
const DASHES = ["", "6 4", "2 3", "8 3 2 3"];

/** @param {{ title: string, detail: string, unit: string, xUnit: string, lines: readonly Line[] }} facts */
export function curves({ title, detail, unit, xUnit, lines }) {
  const head = titleOf(title, detail);
  const top = Math.max(TOP, head.height + 32);
  const points = lines.flatMap((line) => line.points);
  const x = scale(
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = scale(
    points.map((point) => point.y),
    HEIGHT - BOTTOM,
    top,
  );
  const xs = apart([...new Set(points.map((point) => point.x))], x);
  const marks = [
    ...xs.map(
      (value) => `<text class="unit" x="${x(value)}" y="${HEIGHT - 22}" text-anchor="middle">${short(value)}</text>`,
    ),
    ...decades(points.map((point) => point.y)).map(
      (value) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/>` +
        `<text class="unit" x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${value.toLocaleString("en-US")}</text>`,
    ),
  ];
  const labelYs = spread(lines.map(({ points: own }) => y(own.at(-1)?.y ?? Number.NaN)));
  const drawn = lines.map(({ name, points: own }, index) => {
    const style = `class="line ${colourClass(name)}${index === 0 ? " ours" : ""}" stroke-dasharray="${DASHES[index % DASHES.length]}"`;
    const path = own.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
    const last = own.at(-1);
    const label =
      last === undefined
        ? ""
        : `<text x="${x(last.x) + 8}" y="${Number(labelYs[index]) + 4}">${escapeXml(name)}</text>`;
    return `<polyline ${style} points="${path}"/>${label}`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="560" role="img" aria-label="${escapeXml(`${title}; ${detail}`)}">` +
    `<style>${STYLE}</style><rect class="page" width="${WIDTH}" height="${HEIGHT}" rx="6"/>` +
    head.text +
    `<text class="unit" x="8" y="${head.height + 16}">${escapeXml(unit)}; both scales are logarithmic</text>${marks.join("")}${drawn.join("")}` +
    `<text class="unit" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${escapeXml(xUnit)}</text></svg>\n`
  );
}

/**
 * The values whose labels do not touch: the first and the last, and those between that have room.
 * @param {readonly number[]} values @param {(value: number) => number} x
 */
function apart(values, x) {
  const sorted = values.toSorted((a, b) => a - b);
  const last = sorted.at(-1) ?? 0;
  const half = (/** @type {number} */ value) => (short(value).length * CHARACTER + GAP) / 2;
  let end = Number.NEGATIVE_INFINITY;
  return sorted.filter((value) => {
    const isFree = x(value) - half(value) >= end && (value === last || x(value) + half(value) <= x(last) - half(last));
    if (isFree) end = x(value) + half(value);
    return isFree;
  });
}

/** @param {readonly number[]} values @param {number} from @param {number} to */
function scale(values, from, to) {
  const low = Math.log(Math.min(...values));
  const high = Math.log(Math.max(...values));
  return (/** @type {number} */ value) => from + ((Math.log(value) - low) / (high - low || 1)) * (to - from);
}

/** Places for labels: each at its own height, or as far below as the one above it needs. @param {readonly number[]} heights */
function spread(heights) {
  const places = [...heights];
  let free = Number.NEGATIVE_INFINITY;
  for (const index of heights.map((_, at) => at).sort((a, b) => Number(heights[a]) - Number(heights[b]))) {
    places[index] = Math.max(Number(heights[index]), free);
    free = Number(places[index]) + LABEL_STEP;
  }
  return places;
}

/** The values of a scale, the coarser first: times a power of ten. */
const STEPS = [[1], [1, 2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9]];

/** 1, 10, 100, …, and in short ranges others between, as far as they lie among the values: two at least. @param {readonly number[]} values */
function decades(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  for (const steps of high / low > 100 ? STEPS : STEPS.slice(1)) {
    const marks = [];
    for (let decade = 10 ** Math.floor(Math.log10(low)); decade <= high; decade *= 10) {
      for (const step of steps) if (decade * step >= low && decade * step <= high) marks.push(decade * step);
    }
    if (marks.length > 1) return marks;
  }
  return [low, high];
}

/** @param {number} value */
function short(value) {
  return value >= 1024 && value % 1024 === 0 ? `${value / 1024} Ki` : value.toLocaleString("en-US");
}
