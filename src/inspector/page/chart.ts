// A chart of the last minutes as SVG: lines, or areas on top of each other. Its numbers are also in words beside it.

import { h, setAttribute, setText, svg } from "./dom.ts";
import { time } from "./format.ts";
import type { Sample } from "./wire.ts";

export interface Series {
  readonly name: string;
  /** The class that gives the color. */
  readonly color: string;
  /** Null where there is no value. */
  readonly value: (sample: Sample) => number | null;
}

export interface ChartOptions {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Areas on top of each other. @default lines */
  readonly isStacked?: boolean;
  /** The least value at the top. @default 1 */
  readonly least?: number;
}

const WIDTH = 400;
const HEIGHT = 120;
const MIN_SPAN_MS = 30_000;
const MAX_SPAN_MS = 300_000;
/** Nobody looked between samples that are further apart: the line has a gap. */
const GAP_MS = 5000;

export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #plot: SVGElement;
  readonly #paths: SVGElement[] = [];
  readonly #areas: SVGElement[] = [];
  readonly #cursor: SVGElement;
  readonly #values: HTMLElement[] = [];
  readonly #top: HTMLElement;
  readonly #when: HTMLElement;
  #samples: readonly Sample[] = [];
  /** The place of the pointer, from 0 to 1; undefined while it is elsewhere. */
  #pointer: number | undefined;

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const { color } of options.series) {
      const area = svg("path", { class: `area ${color}` });
      const path = svg("path", { class: `line ${color}` });
      this.#areas.push(area);
      this.#paths.push(path);
      this.#plot.append(area);
    }
    for (const y of [0, 0.5, 1]) {
      const at = String(Math.min(y * HEIGHT + 0.5, HEIGHT - 0.5));
      this.#plot.append(svg("line", { x1: "0", x2: String(WIDTH), y1: at, y2: at, class: "grid" }));
    }
    this.#plot.append(...this.#paths);
    this.#cursor = svg("line", { class: "cursor", y1: "0", y2: String(HEIGHT), visibility: "hidden" });
    this.#plot.append(this.#cursor);
    const legend = h("dl", { class: "legend" });
    for (const { name, color } of options.series) {
      const value = h("dd", {}, "–");
      this.#values.push(value);
      legend.append(
        h("div", {}, h("dt", {}, h("i", { class: `swatch ${color}`, "aria-hidden": "true" }), name), value),
      );
    }
    this.#top = h("span", { class: "top" });
    this.#when = h("span", { class: "when" });
    const plot = h("div", {
      class: "plot",
      onpointermove: (event) => this.#point(event),
      onpointerleave: () => this.#point(),
    });
    plot.append(this.#plot as unknown as Node, this.#top);
    this.element = h(
      "section",
      { class: "card chart", "aria-label": options.title },
      h("header", {}, h("h2", {}, options.title), this.#when),
      legend,
      plot,
    );
  }

  update(samples: readonly Sample[]): void {
    this.#samples = samples;
    this.#draw();
  }

  #point(event?: Event): void {
    if (event === undefined) this.#pointer = undefined;
    else {
      const { left, width } = this.#plot.getBoundingClientRect();
      this.#pointer = ((event as PointerEvent).clientX - left) / width;
    }
    this.#draw();
  }

  #draw(): void {
    const { series, isStacked = false, least = 1, format } = this.#options;
    const all = this.#samples;
    const last = all.at(-1);
    if (last === undefined) return;
    const spanMs = Math.min(Math.max(last.at - all[0]!.at, MIN_SPAN_MS), MAX_SPAN_MS);
    const from = last.at - spanMs;
    const shown = all.filter(({ at }) => at >= from);
    const rows = shown.map((sample) => this.#heights(sample, isStacked));
    // Room above the line for the number at the top.
    const top = niceTop(Math.max(least, 1.15 * Math.max(...rows.flat().map((value) => value ?? 0))));
    const x = (at: number): number => ((at - from) / spanMs) * WIDTH;
    const y = (value: number): number => HEIGHT - 1 - (value / top) * (HEIGHT - 4);
    for (const [index] of series.entries()) {
      let line = "";
      let area = "";
      let startX = 0;
      let endX = 0;
      const close = (): void => {
        if (area !== "") area += `L${endX} ${HEIGHT}L${startX} ${HEIGHT}Z`;
      };
      let before: number | undefined;
      for (const [i, { at }] of shown.entries()) {
        const value = rows[i]![index];
        if (value === null || value === undefined) continue;
        const place = `${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
        const isNew = before === undefined || at - before > GAP_MS;
        if (isNew) {
          close();
          startX = Math.round(x(at) * 10) / 10;
        }
        line += `${isNew ? "M" : "L"}${place}`;
        area += `${isNew ? "M" : "L"}${place}`;
        endX = Math.round(x(at) * 10) / 10;
        before = at;
      }
      close();
      setAttribute(this.#paths[index]!, "d", line);
      setAttribute(this.#areas[index]!, "d", area);
    }
    setText(this.#top, format(top));
    this.#name(shown, from, spanMs);
  }

  /** The values at the pointer, or the latest ones. */
  #name(shown: readonly Sample[], from: number, spanMs: number): void {
    const { series, format } = this.#options;
    const pointed = this.#pointer === undefined ? undefined : nearest(shown, from + this.#pointer * spanMs);
    const sample = pointed ?? shown.at(-1);
    if (sample === undefined) return;
    for (const [index, { value }] of series.entries()) {
      const number = value(sample);
      setText(this.#values[index]!, number === null ? "–" : format(number));
    }
    setText(this.#when, pointed === undefined ? "" : time(pointed.at));
    const at = String(((sample.at - from) / spanMs) * WIDTH);
    setAttribute(this.#cursor, "visibility", pointed === undefined ? "hidden" : "visible");
    setAttribute(this.#cursor, "x1", at);
    setAttribute(this.#cursor, "x2", at);
  }

  /** The upper edge of each series. Those that are stacked are drawn from the top one down. */
  #heights(sample: Sample, isStacked: boolean): (number | null)[] {
    const values = this.#options.series.map(({ value }) => value(sample));
    if (!isStacked) return values;
    let sum = values.reduce((total: number, value) => total + (value ?? 0), 0);
    return values.map((value) => {
      const edge = sum;
      sum -= value ?? 0;
      return edge;
    });
  }
}

function nearest(samples: readonly Sample[], at: number): Sample | undefined {
  let best: Sample | undefined;
  for (const sample of samples)
    if (best === undefined || Math.abs(sample.at - at) < Math.abs(best.at - at)) best = sample;
  return best;
}

/** The next of 1, 1.5, 2, 3, 5, 7.5, 10, 15 …: a top that can be read, and seldom changes. */
function niceTop(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 1.5, 2, 3, 5, 7.5, 10]) if (value <= step * power) return step * power;
  return 10 * power;
}
