// A connection's messages, pulled.

import type { Connection } from "./connection.ts";

/** From now on; what comes while the loop is busy waits. Ends when the connection does, or with the loop. */
export function iterate<In>(
  connection: Pick<Connection<In, never>, "onMessage" | "onClose" | "state">,
): AsyncIterableIterator<In, undefined> {
  const messages: In[] = [];
  let isDone = connection.state === "closed";
  let wake: (() => void) | undefined;
  const offMessage = connection.onMessage((message) => {
    messages.push(message);
    wake?.();
  });
  const offClose = connection.onClose(finish);
  function finish(): void {
    isDone = true;
    offMessage();
    offClose();
    wake?.();
  }
  return {
    async next() {
      while (messages.length === 0 && !isDone) await new Promise<void>((resolve) => (wake = resolve));
      return messages.length > 0 ? { done: false, value: messages.shift()! } : { done: true, value: undefined };
    },
    async return() {
      finish();
      messages.length = 0;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
