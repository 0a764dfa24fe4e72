// Gives a request that asks for another protocol than WebSocket back to its server, as a request that asks for none. RFC 9110
// §7.8: a server may ignore Upgrade. Java's HttpClient asks for h2c with each request, and Node, which has taken the connection
// out of HTTP for our listener, reads no body after such a head before its version 26.

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { latin1Bytes } from "../../base/bytes.ts";
import { listOf } from "../../codec/http1-syntax.ts";
import type { NodeServer } from "./host-server.ts";
import { takesSocket } from "./upgrade.ts";

/** The server reads the head again, without `upgrade` in Connection, and the bytes behind it. */
export function readAgain(
  server: NodeServer,
  connectionEvent: "connection" | "secureConnection",
  request: IncomingMessage,
  socket: Socket,
  rest: Uint8Array,
): void {
  const response = new ServerResponse(request);
  // Node would never answer a request that is read again behind one that is not answered.
  if (!takesSocket(response, socket)) {
    socket.destroy();
    return;
  }
  response.detachSocket(socket);
  if (rest.length > 0) socket.unshift(rest);
  socket.unshift(latin1Bytes(headOf(request)));
  server.emit(connectionEvent, socket);
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let head = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    const value = rawHeaders[i + 1]!;
    head += `${name}: ${/^connection$/i.test(name) ? withoutUpgrade(value) : value}\r\n`;
  }
  return `${head}\r\n`;
}

function withoutUpgrade(value: string): string {
  return listOf(value)
    .filter((option) => !/^upgrade$/i.test(option))
    .join(", ");
}
