// Makes room while all clients together have sent more than `maxTotalReceivedBytes`. A client that grows is found when its
// bytes arrive; this finds clients that hold much and do not grow any more.

import { holdsUnreadShare } from "../channel/memory-share.ts";
import { TransportChannel } from "../channel/transport-channel.ts";
import type { BufferBudget } from "../transport/io/buffer-budget.ts";
import type { OpenConnection } from "./exchange-source.ts";

/** For `BufferBudget.onExceeded`: asks everything that is open, at the end of the turn, until the sum is within its limit. */
export function makeRoomSoon(
  received: BufferBudget,
  open: () => readonly (OpenConnection | TransportChannel)[],
): () => void {
  let isScheduled = false;
  return () => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      for (const one of open()) {
        if (!received.isExceeded) return;
        if (!(one instanceof TransportChannel)) one.makeRoom();
        else if (holdsUnreadShare(one, received)) one.failTooMuchUnread();
      }
    });
  };
}
