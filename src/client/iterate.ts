// A connection's messages, pulled.

import type { Connection } from "./connection.ts";

/** From now on; what comes while the loop is busy waits. Ends when the connection does, or with the loop. */
export function iterate<In>(
  connection: Pick<Connection<In, never>, "onMessage" | "onClose" | "state">,
): AsyncIterableIterator<In, undefined> {
  const offs: (() => void)[] = [];
  const reader = new ReadableStream<In>({
    start(messages) {
      if (connection.state === "closed") messages.close();
      else
        offs.push(
          connection.onMessage((message) => messages.enqueue(message)),
          connection.onClose(() => messages.close()),
        );
    },
    cancel() {
      for (const off of offs) off();
    },
  }).getReader();
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
