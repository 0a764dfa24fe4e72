// The states of reading a WebSocket. The listener opens, pauses and resumes; the stream ends and closes; in any order.

/**
 * - unopened: nothing is delivered before `open`; endedUnopened, goneUnopened: the client has ended, or the stream closed, before
 * - flowing: events are delivered as they arrive
 * - paused: the listener takes no events; the stream is read ahead, because only a stream that is read reports its end
 * - stopped: enough was read ahead, so the stream is paused, too
 * - ending: the client sends nothing more; the rest is delivered, also to a listener that would pause
 * - gone: like ending, and the stream is closed
 */
export type Reading =
  | "unopened"
  | "endedUnopened"
  | "goneUnopened"
  | "flowing"
  | "paused"
  | "stopped"
  | "ending"
  | "gone";

/** fill: enough was read ahead. end: the client sends nothing more. close: the stream is closed. */
export type ReadingStep = "open" | "pause" | "fill" | "resume" | "end" | "close";

/** Every move. A step that is missing in a state has no effect there. */
const MOVES: Record<Reading, Partial<Record<ReadingStep, Reading>>> = {
  unopened: { open: "flowing", end: "endedUnopened", close: "goneUnopened" },
  endedUnopened: { open: "ending", close: "goneUnopened" },
  goneUnopened: { open: "gone" },
  flowing: { pause: "paused", end: "ending", close: "gone" },
  paused: { fill: "stopped", resume: "flowing", end: "ending", close: "gone" },
  stopped: { resume: "flowing", end: "ending", close: "gone" },
  ending: { close: "gone" },
  gone: {},
};

/** The state after a step, or undefined if the step has no effect. */
export function afterStep(reading: Reading, step: ReadingStep): Reading | undefined {
  return MOVES[reading][step];
}

export function delivers(reading: Reading): boolean {
  return reading === "flowing" || reading === "ending" || reading === "gone";
}

export function isPaused(reading: Reading): boolean {
  return reading === "paused" || reading === "stopped";
}

export function isGone(reading: Reading): boolean {
  return reading === "gone" || reading === "goneUnopened";
}
