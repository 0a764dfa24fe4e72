// Whether a channel has more unread input than it may, where all clients together have sent more than `maxTotalReceivedBytes`.

import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/** The input of a channel that its application has not taken. */
export interface Unread {
  /** Bytes of memory that wait, in the channel and in its transport. */
  readonly unreadMemory: number;
  /** True if the client can be made to wait: its channel is ended only where that is not enough. */
  readonly canHoldBack: boolean;
}

/** True while all channels together hold too much, and this one its equal part of it or more. */
export function exceedsInputShare(unread: Unread, received: BufferBudget): boolean {
  const isTooMuch = unread.canHoldBack ? received.isFarExceeded : received.isExceeded;
  return isTooMuch && received.isShareSpent(unread.unreadMemory);
}
