// @ts-check
// Horizontal bars as SVG, readable on light and dark pages. Each group has a scale of its own.

/**
 * @typedef {object} Group
 * @property {string} title
 * @property {string} unit
 * @property {number} digits
 * @property {readonly { name: string, median: number, min: number, max: number }[]} bars the first is ours
 */

const WIDTH = 760;
const NAME_WIDTH = 130;
const VALUE_WIDTH = 110;
const BAR_HEIGHT = 16;
const STEP = 22;
const TITLE_HEIGHT = 34;
const GAP = 14;

export const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .unit { fill: #656d76; font-size: 12px }
  .bar { fill: #afb8c1 }
  rect.ours { fill: #0a7ea4 }
  .line { fill: none; stroke: #57606a; stroke-width: 2 }
  .line.ours { stroke: #0a7ea4; stroke-width: 3 }
  .grid { stroke: #d0d7de; stroke-width: .5 }
  .range { stroke: #24292f; stroke-width: 1.5; opacity: .55 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .unit { fill: #9198a1 }
    .bar { fill: #565e69 }
    rect.ours { fill: #35b5dd }
    .line { stroke: #9198a1 }
    .line.ours { stroke: #35b5dd }
    .grid { stroke: #3d444d }
    .range { stroke: #e6edf3 }
  }
`;

/** @param {readonly Group[]} groups */
export function chart(groups) {
  let top = 4;
  const parts = groups.map((group) => {
    const drawn = draw(group, top);
    top += TITLE_HEIGHT + group.bars.length * STEP + GAP;
    return drawn;
  });
  const label = groups.map(({ title }) => title).join("; ");
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" role="img" aria-label="${escapeXml(label)}">` +
    `<style>${STYLE}</style>${parts.join("")}</svg>\n`
  );
}

/** @param {Group} group @param {number} top */
function draw({ title, unit, digits, bars }, top) {
  const widest = Math.max(...bars.map(({ max }) => max));
  const room = WIDTH - NAME_WIDTH - VALUE_WIDTH;
  /** @param {number} value */
  const x = (value) => NAME_WIDTH + (Math.max(0, value) / widest) * room;
  const lines = bars.map(({ name, median, min, max }, index) => {
    const y = top + TITLE_HEIGHT + index * STEP;
    const middle = y + BAR_HEIGHT / 2;
    const value = median.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    return (
      `<text x="${NAME_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escapeXml(name)}</text>` +
      `<rect class="${index === 0 ? "ours" : "bar"}" x="${NAME_WIDTH}" y="${y}" rx="2" ` +
      `width="${(x(median) - NAME_WIDTH).toFixed(1)}" height="${BAR_HEIGHT}"/>` +
      `<line class="range" x1="${x(min).toFixed(1)}" x2="${x(max).toFixed(1)}" y1="${middle}" y2="${middle}"/>` +
      `<text x="${(x(max) + 8).toFixed(1)}" y="${middle + 4}">${value}</text>`
    );
  });
  return (
    `<text class="title" x="0" y="${top + 14}">${escapeXml(title)}</text>` +
    `<text class="unit" x="0" y="${top + 29}">${escapeXml(unit)}; the line from lowest to highest</text>${lines.join("")}`
  );
}

/** @param {string} text */
export function escapeXml(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
