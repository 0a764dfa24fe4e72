// Joins two connections: the bytes of each go to the other, with back-pressure, and so do their ends.

import type { Socket } from "node:net";
import type { ByteStream } from "../../transport/io/byte-stream.ts";

/** Unsent bytes of the client's side from which on the other side is not read. */
const MAX_UNSENT_BYTES = 65_536;

interface FirstBytes {
  /** Bytes of `stream` that were read already. */
  readonly sent: Uint8Array | undefined;
  /** Bytes of `socket` that were read already. */
  readonly received: Uint8Array;
}

/** Becomes the listener of `stream`. `onEnd` is called once, when both are closed or given up. */
export function joinBytes(stream: ByteStream, socket: Socket, first: FirstBytes, onEnd: () => void): void {
  let isOver = false;
  const end = (): void => {
    if (isOver) return;
    isOver = true;
    stream.destroy();
    socket.destroy();
    onEnd();
  };
  stream.listener = {
    onBytes: (bytes) => {
      if (!socket.write(bytes)) stream.pause();
    },
    onEof: () => socket.end(),
    onDrain: () => {
      // The owner has gone, and its last bytes are with the client now.
      if (socket.destroyed) end();
      else socket.resume();
    },
    onClosed: end,
  };
  socket.on("data", (bytes: Buffer) => {
    stream.write(bytes);
    if (stream.bufferedAmount > MAX_UNSENT_BYTES) socket.pause();
  });
  socket.on("drain", () => stream.resume());
  socket.on("end", () => stream.end());
  // "close" follows.
  socket.on("error", () => {});
  socket.on("close", (hasFailed) => {
    // Bytes that the owner sent before an orderly end are still on their way to the client.
    if (hasFailed || !socket.readableEnded || stream.bufferedAmount === 0) end();
  });
  if (first.sent !== undefined) socket.write(first.sent);
  if (first.received.length > 0) stream.write(first.received);
  socket.setNoDelay(true);
  stream.resume();
}
