// The states of a WebSocket of the host.

import { type LinkedState, linkStates } from "../../base/linked-states.ts";

/**
 * opening    the host has not opened the WebSocket; sent messages wait
 * open       messages go both ways
 * closing    our close waits for earlier messages; nothing more is sent
 * closed     the host has closed it, or was told to
 */
type StateName = "opening" | "open" | "closing" | "closed";

/**
 * open   the host has opened it
 * close  our side closes it
 * end    nothing is sent any more
 */
const STEPS = ["open", "close", "end"] as const;

/** Every legal move. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  opening: { open: "open", end: "closed" },
  open: { close: "closing", end: "closed" },
  closing: { end: "closed" },
  closed: {},
};

export type SocketState = LinkedState<StateName, (typeof STEPS)[number]>;

export const SOCKET_STATES: Record<StateName, SocketState> = linkStates(MOVES, STEPS);
