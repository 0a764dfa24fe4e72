// @ts-check
// Lines over minutes as SVG, from zero, to show what stays as it is and what grows.
import { escapeXml, STYLE, titleOf } from "./chart.js";
import { colourClass } from "./colours.js";

/** @typedef {{ name: string, points: readonly { x: number, y: number }[] }} Line the first is ours */

const WIDTH = 440;
const PLOT = 220;
const LEFT = 52;
const RIGHT = 122;
const BOTTOM = 44;
const DASHES = ["", "6 4", "2 3", "8 3 2 3"];
/** The least distance between two labels. */
const LABEL = 17;

/** `x` in minutes. @param {{ title: string, detail: string, unit: string, lines: readonly Line[] }} facts */
export function timeline({ title, detail, unit, lines }) {
  const points = lines.flatMap((line) => line.points);
  const head = titleOf(title, detail);
  const top = head.height + 34;
  const height = top + PLOT + BOTTOM;
  const end = Math.max(...points.map((point) => point.x));
  const step = stepOf(Math.max(...points.map((point) => point.y)) / 4);
  const highest = step * Math.ceil(Math.max(...points.map((point) => point.y)) / step);
  /** @param {number} value */
  const x = (value) => LEFT + (value / end) * (WIDTH - RIGHT - LEFT);
  /** @param {number} value */
  const y = (value) => top + PLOT - (value / highest) * PLOT;
  const rows = Array.from({ length: Math.round(highest / step) + 1 }, (_, i) => i * step).map(
    (value) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}"/>` +
      `<text class="unit" x="${LEFT - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${+value.toPrecision(6)}</text>`,
  );
  const minutes = stepOf(end / 5);
  const columns = Array.from({ length: Math.floor(end / minutes) + 1 }, (_, i) => +(i * minutes).toPrecision(6)).map(
    (value) =>
      `<text class="unit" x="${x(value).toFixed(1)}" y="${top + PLOT + 20}" text-anchor="middle">${value}</text>`,
  );
  const drawn = lines.map(({ name, points: own }, index) => {
    const style = `class="line ${colourClass(name)}${index === 0 ? " ours" : ""}" stroke-dasharray="${DASHES[index % DASHES.length]}"`;
    const path = own.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ");
    return `<polyline ${style} points="${path}"/>`;
  });
  const labels = spread(lines.map(({ name, points: own }) => ({ name, at: y(own.at(-1)?.y ?? 0) }))).map(
    ({ name, at }) =>
      `<text class="${name.startsWith("unichannel") ? "ours-text" : ""}" x="${WIDTH - RIGHT + 8}" y="${(at + 5).toFixed(1)}">${escapeXml(name)}</text>`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="560" role="img" aria-label="${escapeXml(`${title}; ${detail}`)}">` +
    `<style>${STYLE}</style><rect class="page" width="${WIDTH}" height="${height}" rx="6"/>` +
    head.text +
    `<text class="unit" x="8" y="${head.height + 18}">${escapeXml(unit)}</text>${rows.join("")}${columns.join("")}${drawn.join("")}${labels.join("")}` +
    `<text class="unit" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${height - 6}" text-anchor="middle">minutes</text></svg>\n`
  );
}

/** 1, 2 or 5 times a power of ten: the smallest that is not below. @param {number} value */
function stepOf(value) {
  const decade = 10 ** Math.floor(Math.log10(value || 1));
  return decade * /** @type {number} */ ([1, 2, 5, 10].find((step) => step * decade >= value));
}

/** Moves labels down that would cover another one. @param {readonly { name: string, at: number }[]} labels */
function spread(labels) {
  let last = Number.NEGATIVE_INFINITY;
  return labels
    .toSorted((a, b) => a.at - b.at)
    .map(({ name, at }) => {
      last = Math.max(at, last + LABEL);
      return { name, at: last };
    });
}
