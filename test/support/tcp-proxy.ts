// A TCP proxy whose connections a test can cut, as a network does.

import { connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { reset } from "../../fuzz/reset.ts";

export interface TcpProxy {
  readonly port: number;
  /** Ends all connections with a reset and takes no new ones. */
  cut(): void;
  restore(): void;
  /** New connections go to another port from now on. */
  redirect(port: number): void;
}

export async function startTcpProxy(t: TestContext, target: number): Promise<TcpProxy> {
  let port = target;
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((client) => {
    if (isCut) {
      reset(client);
      return;
    }
    const broker = connect(port, "127.0.0.1");
    for (const [socket, other] of [[client, broker] as const, [broker, client] as const]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) reset(socket);
  };
  t.after(() => {
    cut();
    server.close();
  });
  return {
    port: (server.address() as { port: number }).port,
    cut,
    redirect(other) {
      port = other;
    },
    restore() {
      isCut = false;
    },
  };
}
