// The connections that were opened after `attach`. They tell whether a request belongs to an attached server.

import type { ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { isHttp2Request, type NodeRequest, type NodeServer } from "./host-server.ts";

/** The server of each connection: of a socket, or of a session of HTTP/2. */
export const SERVERS: WeakMap<Socket | ServerHttp2Session, NodeServer> = new WeakMap();

/** The server of a request whose connection came after `attach`. */
export function serverOf(request: NodeRequest): NodeServer | undefined {
  const connection = connectionOf(request);
  return connection === undefined ? undefined : SERVERS.get(connection);
}

/** Undefined for a stream of HTTP/2 that is over: it has no session. */
export function connectionOf(request: NodeRequest): Socket | ServerHttp2Session | undefined {
  return isHttp2Request(request) ? (request.stream.session as ServerHttp2Session | undefined) : request.socket;
}
