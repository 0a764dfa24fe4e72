// The states of one HTTP/1.1 connection, as its driver sees them.

import { type LinkedState, linkStates } from "../../base/linked-states.ts";

/**
 * reading       the next request is read
 * writeBlocked  the next request waits until the client has taken more of earlier answers
 * answering     a request is being answered
 * ending        our side has ended, and the peer's end is awaited
 * closed        the stream is closed
 * handedOver    the stream belongs to another protocol
 */
type StateName = "reading" | "writeBlocked" | "answering" | "ending" | "closed" | "handedOver";

/**
 * block           too many bytes of earlier answers are unsent
 * unblock         the client has taken enough of them
 * request         a request has arrived
 * answered        its response is complete, or it is refused
 * upgrade         its response is 101
 * end             our side ends
 * close           the stream was closed
 */
const STEPS = ["block", "unblock", "request", "answered", "upgrade", "end", "close"] as const;

/** Every legal move. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  reading: { request: "answering", block: "writeBlocked", end: "ending", close: "closed" },
  writeBlocked: { unblock: "reading", end: "ending", close: "closed" },
  answering: { answered: "reading", upgrade: "handedOver", close: "closed" },
  ending: { close: "closed" },
  closed: {},
  handedOver: { close: "closed" },
};

export type DriverState = LinkedState<StateName, (typeof STEPS)[number]>;

/** Linked: lists of names, searched by the two moves of a request, cost 4 % of a GET. */
export const DRIVER_STATES: Record<StateName, DriverState> = linkStates(MOVES, STEPS);
