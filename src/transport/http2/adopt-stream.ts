// Takes a request that somebody else's server of node:http2 has accepted: its stream becomes an exchange of ours. The server's own
// objects for it (`Http2ServerRequest`, `Http2ServerResponse`) go on to exist, and see the stream's end.

import { type Http2Context, Http2Exchange } from "./exchange.ts";
import { readHead } from "./request-head.ts";
import type { ServerStream } from "./server-stream.ts";
import { Http2Stream, type Http2StreamOwner } from "./stream.ts";

/** A request of node:http2, of which no response has begun. */
export interface AdoptedRequest {
  readonly stream: ServerStream & {
    /** True if the request has no body. */
    readonly endAfterHeaders: boolean;
  };
  /** Name, value, … in the order of the wire, pseudo-header fields included. */
  readonly rawHeaders: readonly string[];
  /** Fields that middleware has set on the response: name, value, … */
  readonly presetFields: readonly string[];
  /** The body, where a parser has read it before; undefined where it can be read from the stream. */
  readonly body: Uint8Array | undefined;
}

/**
 * Returns the exchange, which is nobody's yet: the caller hands it to its server. The caller ticks and ends the stream, by
 * `owner`. Throws a ChannelError with a status for a head that the engine refuses; the stream is untouched then.
 */
export function adoptStream(
  { stream: server, rawHeaders, presetFields, body }: AdoptedRequest,
  context: Http2Context,
  owner: Http2StreamOwner,
): { readonly exchange: Http2Exchange; readonly stream: Http2Stream } {
  const head = readHead(rawHeaders, context.http);
  const isTunnel = head.method === "CONNECT" || head.protocol !== undefined;
  const stream = new Http2Stream(server, owner);
  const hasBody = !isTunnel && (body !== undefined || !server.endAfterHeaders);
  return { stream, exchange: new Http2Exchange(stream, head, context, { hasBody, presetFields, body }) };
}
