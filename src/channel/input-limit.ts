// The share of a channel in the unread input of all clients, which `maxTotalReceivedBytes` limits.

import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/** The input of a channel that its application has not taken. */
export interface Unread {
  /** Bytes of memory that wait, in the channel and in its transport. */
  readonly unreadMemory: number;
  /** True if the client can be made to wait: its channel is ended only if that is not enough. */
  readonly canHoldBack: boolean;
}

/** True if the unread input of all clients is over its limit, and this channel has its equal share or more. */
export function exceedsInputShare(unread: Unread, received: BufferBudget): boolean {
  const isTooMuch = unread.canHoldBack ? received.isFarExceeded : received.isExceeded;
  return isTooMuch && received.isShareSpent(unread.unreadMemory);
}
