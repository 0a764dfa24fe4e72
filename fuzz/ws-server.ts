// The ws side of the comparison, in a separate process: reports its ports and echoes until it is ended.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

export interface WsPorts {
  readonly plain: number;
  readonly deflate: number;
}

export const MAX_MESSAGE_BYTES = 100_000;

async function listen(perMessageDeflate: boolean): Promise<number> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate, maxPayload: MAX_MESSAGE_BYTES });
  server.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on("error", () => {});
  });
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

if (process.send !== undefined && process.argv[1]?.endsWith("ws-server.js")) {
  const ports: WsPorts = { plain: await listen(false), deflate: await listen(true) };
  process.send(ports);
  process.on("disconnect", () => process.exit());
}
