// @ts-check
// A chart of the last minute: above, each message of the page by the time it was sent and its round-trip time; below, the session's
// carrier. In its first minute it shows less: the time since the page was loaded, so that there is no empty half.

/** @typedef {"websocket" | "sse" | "poll"} Carrier */
/** @typedef {{ at: number, ms: number, carrier: Carrier }} Dot */
/** @typedef {"resumed" | "lost" | "deploy"} Mark */

const SPAN_MS = 60_000;
const FIRST_SPAN_MS = 10_000;
const FRAME_MS = 50;
/** With `prefers-reduced-motion` the chart advances once a second. */
const STILL_FRAME_MS = 1000;

/** The carriers, each with a row, so that colour is not the only difference. @type {readonly [Carrier, string][]} */
const ROWS = [
  ["websocket", "WebSocket"],
  ["sse", "stream"],
  ["poll", "poll"],
];
/** @type {readonly [ms: number, label: string][]} */
const GRID = [
  [1, "1 ms"],
  [10, "10 ms"],
  [100, "100 ms"],
  [1000, "1 s"],
  [10_000, "10 s"],
];
const MAX_MS = 60_000;

const GUTTER = 74;
const RIGHT = 8;
const TOP = 16;
const ROW = 18;
const AXIS = 20;
const GAP = 10;

export class Timeline {
  #canvas;
  #context;
  /** From `at` to the next one. @type {{ at: number, carrier: Carrier | undefined }[]} */
  #spans = [{ at: performance.now(), carrier: /** @type {Carrier | undefined} */ (undefined) }];
  /** @type {Dot[]} */
  #dots = [];
  /** @type {{ at: number, kind: Mark }[]} */
  #marks = [];
  #waiting;
  #drawnAt = 0;

  /** @param {HTMLCanvasElement} canvas @param {() => Iterable<{ sentAt: number }>} waiting Messages without an answer. */
  constructor(canvas, waiting) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.#waiting = waiting;
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    /** @param {number} now */
    const frame = (now) => {
      requestAnimationFrame(frame);
      if (now - this.#drawnAt < (still.matches ? STILL_FRAME_MS : FRAME_MS)) return;
      this.#drawnAt = now;
      this.#draw(performance.now());
    };
    requestAnimationFrame(frame);
  }

  /** Records the carrier that the session has from now on. @param {Carrier | undefined} carrier */
  carry(carrier) {
    if (this.#spans.at(-1)?.carrier !== carrier) this.#spans.push({ at: performance.now(), carrier });
  }

  /** @param {Dot} dot */
  add(dot) {
    this.#dots.push(dot);
  }

  /** @param {Mark} kind @param {number} at */
  mark(kind, at = performance.now()) {
    this.#marks.push({ at, kind });
  }

  /** @param {number} now */
  #draw(now) {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const context = this.#context;
    const scale = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * scale)) this.#canvas.width = Math.round(width * scale);
    if (this.#canvas.height !== Math.round(height * scale)) this.#canvas.height = Math.round(height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    this.#forget(now - SPAN_MS);
    const spanMs = Math.min(Math.max(now, FIRST_SPAN_MS), SPAN_MS);

    const style = getComputedStyle(this.#canvas);
    /** @param {string} name */
    const colour = (name) => style.getPropertyValue(`--${name}`);
    context.font = `12px ${style.fontFamily}`;
    const rows = height - AXIS - ROWS.length * ROW;
    const bottom = rows - GAP;
    /** @param {number} at */
    const x = (at) => GUTTER + (width - GUTTER - RIGHT) * Math.max(0, 1 - (now - at) / spanMs);
    /** @param {number} ms */
    const y = (ms) => bottom - (bottom - TOP) * Math.min(1, Math.log(Math.max(ms, 1)) / Math.log(MAX_MS));
    const chart = { context, colour, x, y, now, spanMs, width, rows, bottom };

    drawGrid(chart);
    for (const [at, span] of this.#spans.entries()) drawSpan(chart, span, this.#spans[at + 1]?.at ?? now);
    for (const mark of this.#marks) drawMark(chart, mark);
    for (const { at, ms, carrier } of this.#dots) drawDot(chart, x(at), y(ms), colour(carrier), true);
    // A message without an answer rises.
    for (const { sentAt } of this.#waiting()) {
      if (now - sentAt < spanMs) drawDot(chart, x(sentAt), y(now - sentAt), colour("text"), false);
    }
  }

  /** Removes everything that ended before `at`: it is off the chart. @param {number} at */
  #forget(at) {
    while ((this.#dots[0]?.at ?? at) < at) this.#dots.shift();
    while ((this.#marks[0]?.at ?? at) < at) this.#marks.shift();
    while ((this.#spans[1]?.at ?? at) < at) this.#spans.shift();
  }
}

/**
 * @typedef {object} Chart
 * @property {CanvasRenderingContext2D} context
 * @property {(name: string) => string} colour Of a custom property of the style sheet.
 * @property {(at: number) => number} x
 * @property {(ms: number) => number} y
 * @property {number} now
 * @property {number} spanMs The time that the chart shows.
 * @property {number} width
 * @property {number} rows Where the rows of the carriers begin.
 * @property {number} bottom Of the messages.
 */

/** @param {Chart} chart */
function drawGrid({ context, colour, y, spanMs, width, rows }) {
  context.strokeStyle = colour("line");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const [ms, label] of GRID) {
    line(context, GUTTER, y(ms), width - RIGHT, y(ms));
    context.fillStyle = colour("soft");
    context.fillText(label, GUTTER - 8, y(ms));
  }
  for (const [at, [, label]] of ROWS.entries()) {
    const middle = rows + (at + 0.5) * ROW;
    line(context, GUTTER, middle, width - RIGHT, middle);
    context.fillText(label, GUTTER - 8, middle);
  }
  const axis = rows + ROWS.length * ROW + AXIS / 2 + 2;
  context.textAlign = "left";
  context.fillText(`${Math.round(spanMs / 1000)} s ago`, GUTTER, axis);
  context.textAlign = "center";
  context.fillText(`${Math.round(spanMs / 2000)} s`, (GUTTER + width - RIGHT) / 2, axis);
  context.textAlign = "right";
  context.fillText("now", width - RIGHT, axis);
}

/** @param {Chart} chart @param {{ at: number, carrier: Carrier | undefined }} span @param {number} end */
function drawSpan(chart, { at, carrier }, end) {
  const { context, colour, x, rows } = chart;
  const left = x(at);
  const width = x(end) - left;
  if (carrier === undefined) {
    drawNone(chart, left, width);
    return;
  }
  const row = ROWS.findIndex(([kind]) => kind === carrier);
  context.fillStyle = colour(carrier);
  context.beginPath();
  context.roundRect(left, rows + row * ROW + 3, Math.max(width, 2), ROW - 6, 3);
  context.fill();
}

/** No connection: hatched over all rows. @param {Chart} chart @param {number} left @param {number} width */
function drawNone({ context, colour, rows }, left, width) {
  const height = ROWS.length * ROW;
  context.save();
  context.beginPath();
  context.rect(left, TOP, width, rows - TOP + height);
  context.clip();
  context.fillStyle = context.strokeStyle = colour("bad");
  context.globalAlpha = 0.08;
  context.fill();
  context.globalAlpha = 0.7;
  context.beginPath();
  context.rect(left, rows, width, height);
  context.clip();
  for (let from = left - height; from < left + width; from += 8)
    line(context, from, rows + height, from + height, rows);
  context.restore();
}

/** The colours of marks. @type {Record<Mark, string>} */
const MARK_COLOURS = { resumed: "soft", lost: "bad", deploy: "good" };

/** @param {Chart} chart @param {{ at: number, kind: Mark }} mark */
function drawMark({ context, colour, x, rows }, { at, kind }) {
  const left = x(at);
  context.strokeStyle = context.fillStyle = colour(MARK_COLOURS[kind]);
  context.lineWidth = 1;
  context.setLineDash([2, 3]);
  line(context, left, TOP, left, rows + ROWS.length * ROW);
  context.setLineDash([]);
  if (kind === "lost") {
    context.lineWidth = 2.5;
    line(context, left - 4, 4, left + 4, 12);
    line(context, left - 4, 12, left + 4, 4);
    return;
  }
  if (kind === "deploy") {
    context.fillRect(left - 4.5, 3, 9, 9);
    return;
  }
  context.beginPath();
  context.moveTo(left, 3);
  context.lineTo(left + 5.5, 13);
  context.lineTo(left - 5.5, 13);
  context.fill();
}

/** @param {Chart} chart @param {number} left @param {number} top @param {string} colour @param {boolean} isFilled */
function drawDot({ context, colour: named }, left, top, colour, isFilled) {
  context.beginPath();
  context.arc(left, top, isFilled ? 3.5 : 3, 0, 2 * Math.PI);
  context.fillStyle = isFilled ? colour : named("card");
  context.strokeStyle = isFilled ? named("card") : colour;
  context.lineWidth = isFilled ? 1 : 1.5;
  context.fill();
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}
