// Shared by the clients of both comparisons: waiting for the end of a connection.

import type { Socket } from "node:net";

const HANG_MS = 60_000;

/** Resolves when the socket is closed; rejects, and drops it, if that takes too long. */
export function untilClosed(socket: Socket): Promise<void> {
  // A reset is an end like any other: the data before it counts.
  socket.on("error", () => {});
  return new Promise<void>((resolve, reject) => {
    const alarm = setTimeout(() => {
      reject(new Error("the connection hangs"));
      socket.destroy();
    }, HANG_MS);
    socket.on("close", () => {
      clearTimeout(alarm);
      resolve();
    });
  });
}
