// Finds channels with too many unsent bytes: over their own limit, or over their share of `maxTotalBufferedBytes`.

import { ChannelError } from "../base/errors.ts";
import { memorySize } from "../base/memory-size.ts";
import { ownSize } from "../protocol/encoded-message.ts";
import type { OutboundMessage } from "../protocol/outbound-message.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";

/** If all channels together hold too many bytes, a message above this size counts before it is sent; a smaller one does not. */
const SMALL_BYTES = 16_384;

const TOTAL_EXCEEDED = "its share of maxTotalBufferedBytes, which all channels together exceed";

/** The unsent bytes of a channel. */
export interface Unsent {
  /** Bytes that count in `maxBufferedBytes`. */
  readonly bufferedAmount: number;
  /** Bytes that count in `maxTotalBufferedBytes`. */
  readonly unsentMemory: number;
  /** Writes the output that only waits for the end of the turn. */
  flush(): void;
}

/**
 * The error of a send for which there is no room; undefined if there is room. `maxBufferedBytes` limits the
 * bytes that are unsent before: a client that keeps up may be sent one message of any size.
 */
export function findOverflow(
  message: OutboundMessage | string,
  unsent: Unsent,
  maxBufferedBytes: number,
  buffered: BufferBudget,
): ChannelError | undefined {
  if (unsent.bufferedAmount >= maxBufferedBytes) return new ChannelError("BUFFER_OVERFLOW");
  return buffered.isExceeded && exceedsShare(message, unsent, buffered) ? totalOverflow() : undefined;
}

export function totalOverflow(): ChannelError {
  return new ChannelError("BUFFER_OVERFLOW", TOTAL_EXCEEDED);
}

/** True if the channel holds its equal share or more, with this message. A message for many is in memory once. */
function exceedsShare(message: OutboundMessage | string, unsent: Unsent, buffered: BufferBudget): boolean {
  const own = typeof message === "string" ? memorySize(message) : ownSize(message);
  const size = own > SMALL_BYTES ? own : 0;
  if (!buffered.isShareSpent(unsent.unsentMemory + size)) return false;
  unsent.flush();
  return buffered.isShareSpent(unsent.unsentMemory + size);
}
