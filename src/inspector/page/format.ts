// Numbers, sizes and times as the page shows them.

import type { Kind } from "./wire.ts";

export const KIND_NAMES: Readonly<Record<Kind, string>> = {
  websocket: "WebSocket",
  sse: "Event stream",
  stream: "HTTP",
  poll: "Poll",
};

export const KINDS = Object.keys(KIND_NAMES) as readonly Kind[];

const whole = new Intl.NumberFormat("en");

export function count(value: number): string {
  return whole.format(Math.round(value));
}

/** A number of at most four characters: 950, 1.2k, 35k. */
export function short(value: number): string {
  if (value < 1000) return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : String(Math.round(value));
  if (value < 1e6) return `${trim(value / 1000)}k`;
  return `${trim(value / 1e6)}M`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${Math.round(value)} B`;
  if (value < 1e6) return `${trim(value / 1000)} kB`;
  if (value < 1e9) return `${trim(value / 1e6)} MB`;
  return `${trim(value / 1e9)} GB`;
}

export function milliseconds(value: number): string {
  return value < 10 ? `${trim(value)} ms` : `${count(value)} ms`;
}

/** How long something lasts: 12 s, 5 min, 3 h, 2 d. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}

/** The time of day, with seconds. */
export function time(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function trim(value: number): string {
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}
