// One sample of the server for each second in which somebody looks: its numbers, and those of the process. `stats()` takes time
// for each open channel, so nothing is sampled while nobody looks.

import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { ServerStats } from "../server/counts.ts";
import type { Kind, Sample } from "./page/wire.ts";
import { Ring } from "./ring.ts";

/** Samples that are kept: five minutes. */
export const MAX_SAMPLES = 300;
/** Interval of the timer that measures the delay. It fires this often only while somebody looks. */
const RESOLUTION_MS = 20;

/** Numbers that are not in `stats`. */
export interface Others {
  readonly status: string;
  readonly away: number;
  /** Channels so far. */
  readonly opened: number;
  readonly closed: number;
  /** The inspector's own channels, and their messages so far: they are left out. */
  readonly own: { readonly channels: Readonly<Record<Kind, number>>; readonly received: number; readonly sent: number };
}

type Counters = Record<
  "at" | "received" | "sent" | "bytesReceived" | "bytesSent" | "opened" | "closed" | "idleMs" | "activeMs",
  number
>;

export class Sampler {
  readonly #samples = new Ring<Sample>(MAX_SAMPLES);
  #before: Counters | undefined;
  /** Undefined where the runtime has none. */
  #delay: IntervalHistogram | undefined;

  start(): void {
    try {
      this.#delay ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#delay.enable();
    } catch {
      // Bun and Deno may not have it.
      this.#delay = undefined;
    }
    this.#before = undefined;
  }

  stop(): void {
    this.#delay?.disable();
  }

  latest(): readonly Sample[] {
    return this.#samples.latest();
  }

  /** Takes a sample. Undefined for the first one after a pause, which has no rates. */
  take(at: number, stats: ServerStats, others: Others): Sample | undefined {
    const { own, opened, closed } = others;
    const { idle: idleMs, active: activeMs } = loopTimes();
    const { bytesReceived, bytesSent } = stats;
    const received = stats.messagesReceived - own.received;
    const sent = stats.messagesSent - own.sent;
    const before = this.#before;
    const counters = { at, received, sent, bytesReceived, bytesSent, opened, closed, idleMs, activeMs };
    this.#before = counters;
    const delayMs = this.#takeDelay();
    if (before === undefined || at <= before.at) return undefined;
    const rate = (name: keyof Counters): number =>
      Math.max(0, Math.round(((counters[name] - before[name]) * 1000) / (at - before.at)));
    const loopMs = activeMs - before.activeMs + idleMs - before.idleMs;
    const { rss, heapUsed } = process.memoryUsage();
    const sample: Sample = {
      at,
      status: others.status,
      connections: stats.connections,
      channels: without(stats.channels, own.channels),
      sessions: Math.max(0, stats.sessions.open - total(own.channels)),
      away: others.away,
      received: rate("received"),
      sent: rate("sent"),
      bytesReceived: rate("bytesReceived"),
      bytesSent: rate("bytesSent"),
      opened: rate("opened"),
      closed: rate("closed"),
      unsent: stats.bufferedBytes,
      delayMs,
      busy: loopMs > 0 ? Math.min(1, (activeMs - before.activeMs) / loopMs) : null,
      rss,
      heap: heapUsed,
      errors: errorsOf(stats),
    };
    this.#samples.push(sample);
    return sample;
  }

  /** The histogram has the time between two timers, of which the interval itself is no delay. */
  #takeDelay(): number | null {
    const delay = this.#delay;
    if (delay === undefined || delay.count === 0) return null;
    const ms = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
    delay.reset();
    return Math.round(ms * 10) / 10;
  }
}

/** Zeros where the runtime does not measure them. */
function loopTimes(): { readonly idle: number; readonly active: number } {
  return performance.eventLoopUtilization?.() ?? { idle: 0, active: 0 };
}

function without(all: Readonly<Record<Kind, number>>, own: Readonly<Record<Kind, number>>): Record<Kind, number> {
  return {
    websocket: Math.max(0, all.websocket - own.websocket),
    sse: Math.max(0, all.sse - own.sse),
    stream: Math.max(0, all.stream - own.stream),
    poll: Math.max(0, all.poll - own.poll),
  };
}

function total(counts: Readonly<Record<Kind, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function errorsOf({ errors }: ServerStats): number {
  let sum = 0;
  for (const byCode of Object.values(errors)) for (const count of Object.values(byCode)) sum += count;
  return sum;
}
