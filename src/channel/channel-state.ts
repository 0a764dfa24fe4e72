// The states of a channel. Two things may happen at the same time, in either order: the application's setup settles,
// and the conversation ends. The close handlers run after both.

/**
 * - settingUp: open, and the setup is running: messages wait
 * - open: messages are delivered
 * - closingInSetup, closing: nothing can be sent any more; earlier messages may be still unsent
 * - closedInSetup, closed: the transport has ended; the application may still be busy with the last message
 * - ending: close handlers are running
 * - ended: close handlers have run
 */
export type ChannelState =
  | "settingUp"
  | "open"
  | "closingInSetup"
  | "closing"
  | "closedInSetup"
  | "closed"
  | "ending"
  | "ended";

/**
 * - setUp: the setup has returned, or its promise has settled
 * - close: the last message was sent, or the channel was closed here
 * - reopen: the last message could not be sent, and `send` throws
 * - transportEnd: the transport has ended
 * - tellEnd: the setup, the transport and the inbox have ended, so that the close handlers may run
 * - tellLate: a close handler is added after the end
 * - endTold: the close handlers have returned
 */
export type ChannelStep = "setUp" | "close" | "reopen" | "transportEnd" | "tellEnd" | "tellLate" | "endTold";

/** Every move. A step that is missing in a state has no effect there. */
const MOVES: Record<ChannelState, Partial<Record<ChannelStep, ChannelState>>> = {
  settingUp: { setUp: "open", close: "closingInSetup", transportEnd: "closedInSetup" },
  open: { close: "closing", transportEnd: "closed" },
  closingInSetup: { setUp: "closing", reopen: "settingUp", transportEnd: "closedInSetup" },
  closing: { reopen: "open", transportEnd: "closed" },
  closedInSetup: { setUp: "closed" },
  closed: { tellEnd: "ending" },
  ending: { endTold: "ended" },
  ended: { tellLate: "ending" },
};

/** The state after a step, or undefined if the step has no effect. */
export function afterStep(state: ChannelState, step: ChannelStep): ChannelState | undefined {
  return MOVES[state][step];
}

export function isOpen(state: ChannelState): boolean {
  return state === "open" || state === "settingUp";
}

export function isSettingUp(state: ChannelState): boolean {
  return state === "settingUp" || state === "closingInSetup" || state === "closedInSetup";
}

/** True if the transport has ended. */
export function isClosed(state: ChannelState): boolean {
  return state === "closed" || state === "closedInSetup" || hasEnded(state);
}

/** True if the close handlers have run, or are running. */
export function hasEnded(state: ChannelState): boolean {
  return state === "ended" || state === "ending";
}
