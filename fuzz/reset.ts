// Ends a TCP connection with a reset, as a crash or a firewall does.

import type { Socket } from "node:net";

/** Node never releases a socket that is reset while its end is being sent, and then the process never exits. */
export function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
