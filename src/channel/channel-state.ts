// The states of a channel. Two things may happen at the same time, in either order: the application's setup settles,
// and the conversation ends. The close handlers run after both.

import { type LinkedState, linkStates } from "../base/linked-states.ts";

/**
 * - settingUp: open, and the setup is running: messages wait
 * - open: messages are delivered
 * - closingInSetup, closing: nothing can be sent any more; earlier messages may still be unsent
 * - closedInSetup, closed: the transport has ended; the application may still be busy with the last message
 * - left: the session goes on in another process, or is on its way there; nothing is called any more
 * - ending: close handlers are running
 * - ended: close handlers have run
 */
type StateName =
  | ("settingUp" | "open" | "closingInSetup" | "closing" | "closedInSetup" | "closed")
  | ("left" | "ending" | "ended");

/**
 * - setUp: the setup has returned, or its promise has settled
 * - close: the last message was sent, or the channel was closed here
 * - reopen: the last message could not be sent, and `send` throws
 * - transportEnd: the transport has ended
 * - leave: the session is on its way to another process
 * - stay: it cannot leave, and ends here
 * - tellEnd: the setup, the transport and the inbox have ended, so that the close handlers may run
 * - tellLate: a close handler is added after the end
 * - endTold: the close handlers have returned
 */
const STEPS = ["setUp", "close", "reopen", "transportEnd", "leave", "stay", "tellEnd", "tellLate", "endTold"] as const;

type Step = (typeof STEPS)[number];

/** Every move. A step that is missing in a state has no effect there. */
const MOVES: Record<StateName, Partial<Record<Step, StateName>>> = {
  settingUp: { setUp: "open", close: "closingInSetup", transportEnd: "closedInSetup" },
  open: { close: "closing", transportEnd: "closed", leave: "left" },
  closingInSetup: { setUp: "closing", reopen: "settingUp", transportEnd: "closedInSetup" },
  closing: { reopen: "open", transportEnd: "closed", leave: "left" },
  closedInSetup: { setUp: "closed" },
  closed: { tellEnd: "ending" },
  left: { stay: "closing" },
  ending: { endTold: "ended" },
  ended: { tellLate: "ending" },
};

export type ChannelState = LinkedState<StateName, Step>;

export const STATES: Readonly<Record<StateName, ChannelState>> = linkStates(MOVES, STEPS);

export function isOpen({ name }: ChannelState): boolean {
  return name === "open" || name === "settingUp";
}

export function isSettingUp({ name }: ChannelState): boolean {
  return name === "settingUp" || name === "closingInSetup" || name === "closedInSetup";
}

/** True if the transport has ended, or has left this process. */
export function isClosed(state: ChannelState): boolean {
  return state.name === "closed" || state.name === "closedInSetup" || state.name === "left" || hasEnded(state);
}

/** True if the close handlers have run, or are running. */
export function hasEnded({ name }: ChannelState): boolean {
  return name === "ended" || name === "ending";
}
