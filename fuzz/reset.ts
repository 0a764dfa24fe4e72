// Ends a TCP connection with a reset, as a crash or a firewall does.

import type { Socket } from "node:net";

/** Node never lets go of a socket that is reset while its end is on the way, and then spins for ever when the process ends. */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
