// The messages of a connection as an async iterator.

import type { Events } from "./events.ts";

/** Bytes that may wait for a loop before nothing is acknowledged any more. Each message counts a 64th of them at least. */
const MAX_WAITING_BYTES = 262_144;
const MIN_SIZE = MAX_WAITING_BYTES / 64;

/**
 * Iterates over the messages from now on; messages that arrive while the loop is busy wait. Ends when the connection does,
 * or with the loop.
 *
 * @param size returns the size of the message that is being delivered
 * @param hold called when the loop falls behind; returns the function to be called when it has caught up
 */
export function iterate(
  { ending, message, listening }: Pick<Events, "ending" | "message" | "listening">,
  size: () => number,
  hold: () => () => void,
): AsyncIterableIterator<unknown, undefined> {
  let offMessage: (() => void) | undefined;
  let offClose: (() => void) | undefined;
  /** Present while the loop is behind. */
  let release: (() => void) | undefined;
  const caughtUp = (): void => {
    release?.();
    release = undefined;
  };
  const reader = new ReadableStream<unknown>(
    {
      start(messages) {
        if (ending) return messages.close();
        offMessage = message.add((value) => {
          messages.enqueue(value);
          if (messages.desiredSize! <= 0) release ??= hold();
        });
        offClose = listening.onClose(() => messages.close());
      },
      // Called when there is room.
      pull: caughtUp,
      cancel() {
        offMessage?.();
        offClose?.();
        caughtUp();
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
