// @ts-check
// The shapes of all pictures, in one style. A picture is 440 units wide, so that its text is readable on a phone of 390 px.

export const WIDTH = 440;
const CHARACTER = { 14: 7.7, 12: 6.5 };

const STYLE = `
  text { font: 14px system-ui, sans-serif; fill: #24292f }
  .small { font-size: 12px; fill: #57606a; paint-order: stroke; stroke: #fff; stroke-width: 4px; stroke-linejoin: round }
  .inside { stroke: none }
  .head { font-weight: 600 }
  .mono { font-family: ui-monospace, monospace; font-size: 12px }
  .box { fill: #f6f8fa; stroke: #8c959f; stroke-width: 1.2 }
  .ours { fill: #ddf4ff; stroke: #0a7ea4 }
  .good { fill: #dafbe1; stroke: #1a7f37 }
  .bad { fill: #ffebe9; stroke: #cf222e }
  .lane { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 3 4 }
  .arrow { fill: none; stroke: #57606a; stroke-width: 1.6 }
  .arrow.bad { stroke: #cf222e; stroke-dasharray: 5 4; fill: none }
  .tip { fill: #57606a }
  .page { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .small { fill: #9198a1; stroke: #0d1117 }
    .inside { stroke: none }
    .box { fill: #21262d; stroke: #6e7681 }
    .ours { fill: #0c3a4d; stroke: #35b5dd }
    .good { fill: #12361f; stroke: #3fb950 }
    .bad { fill: #4b1718; stroke: #f85149 }
    .lane { stroke: #6e7681 }
    .arrow { stroke: #9198a1 }
    .arrow.bad { stroke: #f85149; fill: none }
    .tip { fill: #9198a1 }
    .page { fill: #0d1117 }
  }
`;

/** @param {string} title @param {string} description @param {number} height @param {readonly string[]} shapes */
export function picture(title, description, height, shapes) {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="560" role="img" aria-labelledby="t d">` +
    `<title id="t">${escapeXml(title)}</title><desc id="d">${escapeXml(description)}</desc><style>${STYLE}</style>` +
    `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">` +
    `<path class="tip" d="M0 0 8 4 0 8Z"/></marker></defs><rect class="page" width="${WIDTH}" height="${height}" rx="6"/>` +
    `${shapes.join("")}</svg>\n`
  );
}

/**
 * A box with a line of text, and a smaller one below it.
 * @param {number} x @param {number} y @param {number} width @param {string} head @param {string} [small] @param {string} [kind]
 */
export function box(x, y, width, head, small = "", kind = "") {
  const height = small === "" ? 32 : 48;
  fits(head, 14, width - 12);
  fits(small, 12, width - 12);
  return (
    `<rect class="box ${kind}" x="${x}" y="${y}" width="${width}" height="${height}" rx="6"/>` +
    text(x + width / 2, y + 21, head, "head", "middle") +
    (small === "" ? "" : text(x + width / 2, y + 38, small, "small inside", "middle"))
  );
}

/** @param {number} x @param {number} y @param {string} content @param {string} [kind] @param {"start" | "middle" | "end"} [anchor] */
export function text(x, y, content, kind = "", anchor = "start") {
  const size = kind.includes("small") || kind.includes("mono") ? 12 : 14;
  const room = anchor === "start" ? WIDTH - x : anchor === "end" ? x : 2 * Math.min(x, WIDTH - x);
  fits(content, size, room);
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${escapeXml(content)}</text>`;
}

/** An arrow through points, `"x,y x,y"`, with its tip at the last one. @param {string} points @param {string} [kind] */
export function arrow(points, kind = "") {
  return `<polyline class="arrow ${kind}" points="${points}" marker-end="url(#tip)"/>`;
}

/** The line of one participant's time. @param {number} x @param {number} from @param {number} to */
export function lane(x, from, to) {
  return `<line class="lane" x1="${x}" x2="${x}" y1="${from}" y2="${to}"/>`;
}

/** A text that would leave its box is a mistake of the picture. @param {string} content @param {14 | 12} size @param {number} room */
function fits(content, size, room) {
  const width = content.length * CHARACTER[size];
  if (width > room) throw new Error(`"${content}" needs ${width} units, and there are ${room}`);
}

/** @param {string} content */
function escapeXml(content) {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
