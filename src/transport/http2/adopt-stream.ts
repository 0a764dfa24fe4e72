// Makes an exchange of a request that the application's own server of node:http2 has accepted. The objects of the compatibility API
// for this request (`Http2ServerRequest`, `Http2ServerResponse`) stay, and see the end of the stream.

import { ChannelError } from "../../base/errors.ts";
import type { ExchangeContext } from "../exchange-context.ts";
import type { CompatibilityApi } from "./compatibility-api.ts";
import { Http2Exchange } from "./exchange.ts";
import { readHead, unreadableHead } from "./request-head.ts";
import type { ServerStream } from "./server-stream.ts";
import { Http2Stream, type Http2StreamOwner } from "./stream.ts";

/** The server has limits of its own. */
const NO_LIMITS = { maxHeaderBytes: Infinity, maxHeaderCount: Infinity, maxTargetBytes: Infinity };

/** A request of node:http2 whose response has not begun. */
export interface AdoptedRequest {
  readonly stream: ServerStream & {
    /** True if the request has no body. */
    readonly endAfterHeaders: boolean;
  };
  /** Name, value, … in the order of the wire, pseudo-header fields included. */
  readonly rawHeaders: readonly string[];
  /** The compatibility API of the stream; undefined if no other code uses it. */
  readonly compatibilityApi: CompatibilityApi | undefined;
  /** The body, if a parser has read it before; undefined if it can be read from the stream. */
  readonly body: Uint8Array | undefined;
}

interface AdoptedStream {
  readonly stream: Http2Stream;
  readonly exchange: Http2Exchange;
  /** Exists for a head that the engine refuses: the caller answers the exchange with it. It has a status. */
  readonly error: ChannelError | undefined;
}

/**
 * Returns the exchange; the caller hands it to its server. `owner` ticks and ends the stream. It is not told the end of a stream
 * that was closed before this call.
 */
export function adoptStream(
  { stream: server, rawHeaders, compatibilityApi, body }: AdoptedRequest,
  context: ExchangeContext,
  owner: Http2StreamOwner,
): AdoptedStream {
  const { head, error } = tryToReadHead(rawHeaders);
  const isTunnel = head.method === "CONNECT" || head.protocol !== undefined;
  const stream = new Http2Stream(server, owner);
  const hasBody = !isTunnel && error === undefined && (body !== undefined || !server.endAfterHeaders);
  return { stream, exchange: new Http2Exchange(stream, head, context, { hasBody, compatibilityApi, body }), error };
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
