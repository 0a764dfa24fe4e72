// A connection of a process as the calls see it: the state that it may use, and the ways to answer.

import type { FrameWriter } from "./frame.ts";
import type { HubState } from "./hub-state.ts";

/** Frames that are written in parts, as fast as the process reads. */
export interface Pouring {
  /** Writes a part. Returns true after the last one. */
  pour(): boolean;
}

export interface Caller {
  readonly state: HubState;
  /** Frames of this turn. */
  readonly writer: FrameWriter;
  readonly worker: number;
  /** Subscriptions by the number that the process has given. */
  readonly subscriptions: Map<number, EndableSubscription>;
  /** True if the process does not read what was written. */
  readonly isFull: boolean;
  /** The frames of this turn are written at its end. */
  flushLater(): void;
  /** A long answer begins when the process has read what was written before. */
  answerInParts(answer: Pouring): void;
  /** The entries that a subscription has missed are written when the process has read what was written before. */
  catchUp(subscription: Pouring): void;
}

export interface EndableSubscription {
  end(): void;
}
