// Whether a channel has more unsent than it may: by its own limit, or by its share of what all channels hold together.

import { ChannelError } from "../base/errors.ts";
import { ownSize } from "../protocol/encoded-message.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/** While all channels together hold too much, a larger message counts before it is sent: the first one may be of any size. */
const SMALL_BYTES = 16_384;

const TOTAL_EXCEEDED = "its part of maxTotalBufferedBytes, which all channels together exceed";

/** The unsent bytes of a channel. */
export interface Unsent {
  /** Bytes that count in `maxBufferedBytes`. */
  readonly bufferedAmount: number;
  /** Bytes that count in `maxTotalBufferedBytes`. */
  readonly unsentMemory: number;
  /** Writes what only waits for the end of the turn. */
  flush(): void;
}

/**
 * The error of a send for which there is no room; undefined if there is room. `maxBufferedBytes` limits what is unsent
 * already: a channel that keeps up may send one message of any size.
 */
export function findOverflow(
  message: OutboundMessage,
  unsent: Unsent,
  maxBufferedBytes: number,
  budget: BufferBudget,
): ChannelError | undefined {
  if (unsent.bufferedAmount >= maxBufferedBytes) return new ChannelError("BUFFER_OVERFLOW");
  return budget.isExceeded && exceedsShare(message, unsent, budget) ? totalOverflow() : undefined;
}

export function totalOverflow(): ChannelError {
  return new ChannelError("BUFFER_OVERFLOW", TOTAL_EXCEEDED);
}

/** True if the channel is one of those that hold most, or would be with this message. One that goes to many is in memory once. */
function exceedsShare(message: OutboundMessage, unsent: Unsent, budget: BufferBudget): boolean {
  const own = ownSize(message);
  const size = own > SMALL_BYTES ? own : 0;
  if (!budget.isShareSpent(unsent.unsentMemory + size)) return false;
  unsent.flush();
  return budget.isShareSpent(unsent.unsentMemory + size);
}
