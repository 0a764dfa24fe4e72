// A connection's messages, pulled.

import type { ConnectionState } from "./connection.ts";

/** A loop that is behind by so many bytes, or by a 64th as many messages, holds the server back. */
const MAX_WAITING_BYTES = 262_144;
const MIN_SIZE = MAX_WAITING_BYTES / 64;

/** The part of a connection that a loop uses. */
interface Source<In> {
  readonly state: ConnectionState;
  onMessage(fn: (message: In) => void): () => void;
  onClose(fn: () => void): () => void;
  /** The size of the message that is told now. */
  size(): number;
  /** While `isHeld` by anyone, nothing is acknowledged, so that the server keeps what it sends and its limit applies. */
  hold(by: object, isHeld: boolean): void;
}

/** From now on; what comes while the loop is busy waits. Ends when the connection does, or with the loop. */
export function iterate<In>(connection: Source<In>): AsyncIterableIterator<In, undefined> {
  const offs: (() => void)[] = [];
  const hold = (isHeld: boolean): void => connection.hold(offs, isHeld);
  const reader = new ReadableStream<In>(
    {
      start(messages) {
        if (connection.state === "closed") messages.close();
        else
          offs.push(
            connection.onMessage((message) => {
              messages.enqueue(message);
              hold(messages.desiredSize! <= 0);
            }),
            connection.onClose(() => messages.close()),
          );
      },
      /** Called when there is room. */
      pull() {
        hold(false);
      },
      cancel() {
        for (const off of offs) off();
        hold(false);
      },
    },
    { highWaterMark: MAX_WAITING_BYTES, size: () => Math.max(connection.size(), MIN_SIZE) },
  ).getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<In, undefined>>,
    async return() {
      await reader.cancel();
      return this.next();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
