// The first tab: the totals, the charts, and what has happened.

import { Chart, type ChartOptions } from "./chart.ts";
import { byId, h, setText, syncList } from "./dom.ts";
import { bytes, count, KIND_NAMES, KINDS, milliseconds, short, span, time } from "./format.ts";
import { channelAddress } from "./state.ts";
import type { Sample, TimelineEvent } from "./wire.ts";

const CHARTS: readonly ChartOptions[] = [
  {
    title: "Channels",
    isStacked: true,
    least: 10,
    format: count,
    series: KINDS.map((kind) => ({ name: KIND_NAMES[kind], color: kind, value: ({ channels }) => channels[kind] })),
  },
  {
    title: "Messages per second",
    least: 10,
    format: short,
    series: [
      { name: "sent", color: "first", value: ({ sent }) => sent },
      { name: "received", color: "second", value: ({ received }) => received },
    ],
  },
  {
    title: "Event loop",
    least: 10,
    format: milliseconds,
    series: [{ name: "delay, 99 % are below", color: "third", value: ({ delayMs }) => delayMs }],
  },
  {
    title: "Memory",
    least: 10_000_000,
    format: bytes,
    series: [
      { name: "process", color: "first", value: ({ rss }) => rss },
      { name: "heap", color: "second", value: ({ heap }) => heap },
    ],
  },
  {
    title: "Traffic per second",
    least: 1000,
    format: bytes,
    series: [
      { name: "out", color: "first", value: ({ bytesSent }) => bytesSent },
      { name: "in", color: "second", value: ({ bytesReceived }) => bytesReceived },
    ],
  },
  {
    title: "Not taken by clients",
    least: 1000,
    format: bytes,
    series: [{ name: "unsent", color: "fourth", value: ({ unsent }) => unsent }],
  },
];

interface Happened extends TimelineEvent {
  /** Its number on this page. */
  readonly key: string;
}

/** Events that the list keeps. */
const MAX_HAPPENED = 100;

export class Overview {
  readonly #charts = CHARTS.map((options) => new Chart(options));
  #happened: Happened[] = [];
  #lastNumber = 0;

  constructor() {
    byId("charts").append(...this.#charts.map(({ element }) => element));
  }

  show(samples: readonly Sample[]): void {
    for (const chart of this.#charts) chart.update(samples);
    const last = samples.at(-1);
    if (last === undefined) return;
    const { channels } = last;
    const all = KINDS.reduce((sum, kind) => sum + channels[kind], 0);
    setText(byId("total-channels"), count(all));
    setText(byId("total-connections"), count(last.connections));
    setText(byId("total-sessions"), count(last.sessions));
    setText(byId("note-sessions"), last.away === 0 ? "all connected" : `${count(last.away)} away`);
    setText(byId("note-channels"), `${short(last.opened)} opened, ${short(last.closed)} closed per second`);
    setText(byId("total-busy"), last.busy === null ? "–" : `${Math.round(last.busy * 100)} %`);
    setText(byId("total-errors"), count(last.errors));
    byId("errors").classList.toggle("is-bad", last.errors > 0);
    for (const kind of KINDS) {
      const part = byId(`part-${kind}`);
      part.style.flexGrow = String(channels[kind]);
      part.title = `${KIND_NAMES[kind]}: ${count(channels[kind])}`;
    }
  }

  add(events: readonly TimelineEvent[]): void {
    if (events.length === 0) return;
    const numbered = events.map((event) => ({ ...event, key: String(++this.#lastNumber) }));
    this.#happened = [...this.#happened, ...numbered].slice(-MAX_HAPPENED);
    syncList(byId("happened"), [...this.#happened].reverse(), {
      keyOf: ({ key }) => key,
      make: toItem,
      update: () => {},
    });
    byId("nothing").hidden = true;
  }
}

export function showUptime(startedAt: number, now: number): void {
  setText(byId("uptime"), `up ${span(now - startedAt)}`);
}

function toItem({ at, kind, text, channel }: TimelineEvent): HTMLElement {
  return h(
    "li",
    { class: `event is-${kind}` },
    h("time", {}, time(at)),
    h("span", { class: "what" }, text),
    channel === undefined ? undefined : h("a", { href: channelAddress(channel) }, channel),
  );
}
