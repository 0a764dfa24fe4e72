// Takes a request that somebody else's server of node:http2 has accepted: its stream becomes an exchange of ours. The server's own
// objects for it (`Http2ServerRequest`, `Http2ServerResponse`) go on to exist, and see the stream's end.

import { ChannelError } from "../../base/errors.ts";
import type { ExchangeContext } from "../exchange-context.ts";
import { Http2Exchange, type OtherApi } from "./exchange.ts";
import { readHead, unreadableHead } from "./request-head.ts";
import type { ServerStream } from "./server-stream.ts";
import { Http2Stream, type Http2StreamOwner } from "./stream.ts";

/** The server has limits of its own. */
const NO_LIMITS = { maxHeaderBytes: Infinity, maxHeaderCount: Infinity, maxTargetBytes: Infinity };

/** A request of node:http2, of which no response has begun. */
export interface AdoptedRequest {
  readonly stream: ServerStream & {
    /** True if the request has no body. */
    readonly endAfterHeaders: boolean;
  };
  /** Name, value, … in the order of the wire, pseudo-header fields included. */
  readonly rawHeaders: readonly string[];
  /** The server's own objects for the stream; undefined where nobody uses them. */
  readonly otherApi: OtherApi | undefined;
  /** The body, where a parser has read it before; undefined where it can be read from the stream. */
  readonly body: Uint8Array | undefined;
}

interface AdoptedStream {
  readonly stream: Http2Stream;
  readonly exchange: Http2Exchange;
  /** Exists for a head that the engine refuses: the caller answers the exchange with it. It has a status. */
  readonly error: ChannelError | undefined;
}

/**
 * Returns the exchange, which is nobody's yet: the caller hands it to its server. The caller ticks and ends the stream, by
 * `owner`, which may not be told the end of a stream that was closed before.
 */
export function adoptStream(
  { stream: server, rawHeaders, otherApi, body }: AdoptedRequest,
  context: ExchangeContext,
  owner: Http2StreamOwner,
): AdoptedStream {
  const { head, error } = tryToReadHead(rawHeaders);
  const isTunnel = head.method === "CONNECT" || head.protocol !== undefined;
  const stream = new Http2Stream(server, owner);
  const hasBody = !isTunnel && error === undefined && (body !== undefined || !server.endAfterHeaders);
  return { stream, exchange: new Http2Exchange(stream, head, context, { hasBody, otherApi, body }), error };
}

function tryToReadHead(rawHeaders: readonly string[]): {
  readonly head: ReturnType<typeof readHead>;
  readonly error: ChannelError | undefined;
} {
  try {
    return { head: readHead(rawHeaders, NO_LIMITS), error: undefined };
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    return { head: unreadableHead(rawHeaders), error };
  }
}
