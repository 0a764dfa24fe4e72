// The share of one channel in the memory that all clients of a server hold: unsent bytes, which `maxTotalBufferedBytes`
// limits, and unread input, which `maxTotalReceivedBytes` limits. While a limit is exceeded, the channels that hold their equal
// share or more have to make room.

import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/** The bytes of memory that a channel holds for its client. */
export interface MemoryHolder {
  readonly isOpen: boolean;
  /** Bytes that were sent, and that the client's connection has not taken. */
  readonly unsentMemory: number;
  /** Bytes that the application has not taken, in the channel and in its transport. */
  readonly unreadMemory: number;
  /** True if the client can be made to wait: its channel is ended only if that is not enough. */
  readonly canHoldBack: boolean;
}

/** True if the unsent bytes of all clients are over their limit, and this channel has its equal share or more. */
export function holdsUnsentShare(holder: MemoryHolder, buffered: BufferBudget): boolean {
  return holder.isOpen && buffered.isExceeded && buffered.isShareSpent(holder.unsentMemory);
}

/** True if the unread input of all clients is over its limit, and this channel has its equal share or more. */
export function holdsUnreadShare(holder: MemoryHolder, received: BufferBudget): boolean {
  const isTooMuch = holder.canHoldBack ? received.isFarExceeded : received.isExceeded;
  return isTooMuch && holder.isOpen && received.isShareSpent(holder.unreadMemory);
}
