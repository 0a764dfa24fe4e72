// A connection's messages, pulled.

import type { Events } from "./events.ts";

/** A loop that is behind by so many bytes, or by a 64th as many messages, holds the server back. */
const MAX_WAITING_BYTES = 262_144;
const MIN_SIZE = MAX_WAITING_BYTES / 64;

/**
 * Messages from now on; what comes while the loop is busy waits. Ends when the connection does, or with the loop.
 *
 * @param size the size of the message that is told now
 * @param hold called with 1 when the loop falls behind, and with -1 when it has caught up
 */
export function iterate(
  { ending, message, listening }: Pick<Events, "ending" | "message" | "listening">,
  size: () => number,
  hold: (change: 1 | -1) => void,
): AsyncIterableIterator<unknown, undefined> {
  const offs: (() => void)[] = [];
  let isBehind = false;
  const become = (isBehindNow: boolean): void => {
    if (isBehindNow === isBehind) return;
    isBehind = isBehindNow;
    hold(isBehind ? 1 : -1);
  };
  const reader = new ReadableStream<unknown>(
    {
      start(messages) {
        if (ending) return messages.close();
        offs.push(
          message.add((value) => {
            messages.enqueue(value);
            become(messages.desiredSize! <= 0);
          }),
          listening.onClose(() => messages.close()),
        );
      },
      /** Called when there is room. */
      pull() {
        become(false);
      },
      cancel() {
        for (const off of offs) off();
        become(false);
      },
    },
    { highWaterMark: MAX_WAITING_BYTES, size: () => Math.max(size(), MIN_SIZE) },
  ).getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown, undefined>>,
    async return() {
      await reader.cancel();
      return this.next();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
