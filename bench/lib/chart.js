// @ts-check
// Horizontal bars as SVG, readable on light and dark pages and on a phone. A chart says one thing. A peer has the same colour in
// all charts, and charts of similar numbers have the same scale: the end of an axis is one of a few.
import { COLOURS, colourClass } from "./colours.js";

/**
 * @typedef {object} Group
 * @property {string} title for a reader who does not know the row
 * @property {string} detail the row's name and its exact title, small beneath
 * @property {string} unit
 * @property {number} digits
 * @property {boolean} lessIsBetter
 * @property {readonly { name: string, median: number, min: number, max: number }[]} bars the first is ours
 */

const WIDTH = 440;
const NAME_WIDTH = 122;
const VALUE_WIDTH = 76;
const BAR_HEIGHT = 18;
const STEP = 27;
const LINE = 18;
const CHARACTERS = 50;
const DETAIL_LINE = 15;
const DETAIL_CHARACTERS = 66;
/** Long names take a line of their own, above the bar. */
const LONG_NAME = 15;

/** The ends of axes of thousands and more. */
const ENDS = [10_000, 40_000, 200_000, 800_000, 3_200_000, 12_800_000];

export const STYLE = `
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .unit { fill: #57606a; font-size: 12px }
  .ours-text { font-weight: 600 }
  .page { fill: #fff }
  .line { fill: none; stroke-width: 2 }
  .line.ours { stroke-width: 3.5 }
  .grid { stroke: #d0d7de; stroke-width: 1 }
  .range { stroke: #24292f; stroke-width: 1.5; opacity: .6 }
  ${COLOURS}
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .unit { fill: #9198a1 }
    .page { fill: #0d1117 }
    .grid { stroke: #3d444d }
    .range { stroke: #e6edf3 }
  }
`;

/** @param {Group} group */
export function chart({ title, detail, unit, digits, lessIsBetter, bars }) {
  const end = endOf(Math.max(...bars.map(({ max }) => max)));
  const room = WIDTH - NAME_WIDTH - VALUE_WIDTH;
  /** @param {number} value */
  const x = (value) => NAME_WIDTH + (Math.max(0, value) / end) * room;
  const head = titleOf(title, detail);
  let y = 30 + head.height;
  const top = y;
  const drawn = bars.map(({ name, median, min, max }) => {
    const isLong = name.length > LONG_NAME;
    if (isLong) y += LINE + 2;
    const middle = y + BAR_HEIGHT / 2;
    const value = median.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    const own = name.startsWith("unichannel") ? "ours-text" : "";
    const label = isLong
      ? `<text class="${own}" x="${NAME_WIDTH}" y="${y - 4}">${escapeXml(name)}</text>`
      : `<text class="${own}" x="${NAME_WIDTH - 8}" y="${middle + 5}" text-anchor="end">${escapeXml(name)}</text>`;
    const bar =
      `${label}<rect class="${colourClass(name)}" x="${NAME_WIDTH}" y="${y}" rx="2" ` +
      `width="${(x(median) - NAME_WIDTH).toFixed(1)}" height="${BAR_HEIGHT}"/>` +
      `<line class="range" x1="${x(min).toFixed(1)}" x2="${x(max).toFixed(1)}" y1="${middle}" y2="${middle}"/>` +
      `<text class="${own}" x="${(x(max) + 6).toFixed(1)}" y="${middle + 5}">${value}</text>`;
    y += STEP;
    return bar;
  });
  const marks = [0, 1, 2, 3, 4].map((quarter) => {
    const at = x((end * quarter) / 4).toFixed(1);
    return (
      `<line class="grid" x1="${at}" x2="${at}" y1="${top - 4}" y2="${y}"/>` +
      `<text class="unit" x="${at}" y="${y + 16}" text-anchor="middle">${short((end * quarter) / 4)}</text>`
    );
  });
  const height = y + 28;
  const better = lessIsBetter ? "shorter is better" : "longer is better";
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="560" role="img" aria-label="${escapeXml(`${title}; ${detail}`)}">` +
    `<style>${STYLE}</style><rect class="page" width="${WIDTH}" height="${height}" rx="6"/>` +
    head.text +
    `<text class="unit" x="8" y="${top - 12}">${escapeXml(unit)}; ${better}; thin line: lowest–highest</text>` +
    `${marks.join("")}${drawn.join("")}</svg>\n`
  );
}

/** The end of the axis for values up to `max`. @param {number} max */
function endOf(max) {
  const fixed = max > 1000 ? ENDS.find((end) => end >= max) : undefined;
  if (fixed !== undefined) return fixed;
  const decade = 10 ** Math.floor(Math.log10(max || 1));
  return decade * /** @type {number} */ ([1, 2, 4, 8, 10].find((step) => step * decade >= max));
}

/** The title and the detail beneath it, in lines, and the height that they take. @param {string} title @param {string} detail */
export function titleOf(title, detail) {
  const lines = wrapped(title, CHARACTERS);
  const top = lines.length * LINE;
  const details = wrapped(detail, DETAIL_CHARACTERS);
  const texts = [
    ...lines.map((line, i) => `<text class="title" x="8" y="${LINE * (i + 1)}">${escapeXml(line)}</text>`),
    ...details.map(
      (line, i) => `<text class="unit" x="8" y="${top + DETAIL_LINE * (i + 1)}">${escapeXml(line)}</text>`,
    ),
  ];
  return { text: texts.join(""), height: top + details.length * DETAIL_LINE };
}

/** @param {string} title @param {number} characters in a line */
function wrapped(title, characters) {
  /** @type {string[]} */
  const lines = [];
  for (const word of title.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= characters) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

/** @param {number} value */
function short(value) {
  if (value >= 1e6) return `${+(value / 1e6).toFixed(1)} M`;
  return value >= 1000 ? `${+(value / 1000).toFixed(1)} k` : String(+value.toPrecision(3));
}

/** @param {string} text */
export function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
