// The servers that channels can be attached to, and the objects of their requests.

import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import type { Http2SecureServer, Http2Server, Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { Server as HttpsServer } from "node:https";
import type { Exchange } from "../../transport/exchange.ts";
import type { HostRefusal } from "../refusal.ts";

/** A server of node:http, node:https or node:http2. */
export type NodeServer = HttpServer | HttpsServer | Http2Server | Http2SecureServer;

/** The request of a handler of such a server. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/** The response of a handler of such a server. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** The exchange of a request to an attached server, of any version of HTTP. */
export interface AttachedExchange {
  readonly exchange: Exchange;
  /** The answer to a request that is not served; undefined if it is served. */
  readonly refusal: HostRefusal | undefined;
  /** Follows the client of an exchange that is not answered in the turn of its request. */
  followClient(): void;
}

/** True for a request of HTTP/2. Its `httpVersion` does not tell: a client may write `GET / HTTP/2.0` over HTTP/1.1. */
export function isHttp2Request(request: NodeRequest): request is Http2ServerRequest {
  return "stream" in request;
}

/** True for a server of node:http2. */
export function isHttp2Server(server: NodeServer): server is Http2Server | Http2SecureServer {
  return "updateSettings" in server;
}
