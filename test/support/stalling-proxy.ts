// A TCP proxy that passes bytes on until it is told to stall: then it reads nothing more and closes nothing, like a network
// that has gone, or a client that was suspended.

import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import type { Target } from "./raw-client.ts";

export interface StallingProxy {
  readonly target: Target;
  stall(): void;
}

export function stallingProxy(t: TestContext, port: number): Promise<StallingProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const origin = connect(port, "127.0.0.1");
    for (const socket of [client, origin]) {
      sockets.add(socket);
      socket.on("error", () => {});
    }
    client.pipe(origin);
    origin.pipe(client);
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve({
        target: { port: (server.address() as { port: number }).port },
        stall: () => {
          for (const socket of sockets) socket.unpipe().pause();
        },
      });
    });
  });
}
