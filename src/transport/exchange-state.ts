// The states of an exchange that keeps its limits by itself.

import { type LinkedState, linkStates } from "../base/linked-states.ts";

/**
 * awaiting   no response has begun
 * streaming  a response has begun, and its body grows
 * ending     the response is complete, and not all of it is taken
 * over       nothing is read or written any more, or the connection is another protocol's
 */
type StateName = "awaiting" | "streaming" | "ending" | "over";

/**
 * start     a response begins whose body grows
 * complete  the response is complete, and not all of it is taken
 * leave     nothing is left to do
 */
const STEPS = ["start", "complete", "leave"] as const;

/** Every legal move. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  awaiting: { start: "streaming", complete: "ending", leave: "over" },
  streaming: { complete: "ending", leave: "over" },
  ending: { leave: "over" },
  over: {},
};

export type ExchangeState = LinkedState<StateName, (typeof STEPS)[number]>;

/** Linked: every request takes one of these steps, a stream two. */
export const EXCHANGE_STATES: Record<StateName, ExchangeState> = linkStates(MOVES, STEPS);
