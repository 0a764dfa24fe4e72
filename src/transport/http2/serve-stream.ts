// Makes an exchange of a new HTTP/2 stream and hands it to the server, or answers the stream itself where its request cannot
// be served.

import { ChannelError } from "../../base/errors.ts";
import type { ExchangeContext } from "../exchange-context.ts";
import { Http2Exchange } from "./exchange.ts";
import { type Http2RequestHead, readHead, unreadableHead } from "./request-head.ts";
import { END_STREAM, RESET } from "./server-stream.ts";
import type { Http2Stream } from "./stream.ts";

/** A request as the "stream" event of node:http2 brings it. */
export interface Http2Request {
  /** Name, value, … in the order of the wire, pseudo-header fields included. */
  readonly rawHeaders: readonly string[];
  readonly flags: number;
}

/** Never throws. */
export function serveStream(stream: Http2Stream, { rawHeaders, flags }: Http2Request, context: ExchangeContext): void {
  let head: Http2RequestHead;
  try {
    head = readHead(rawHeaders, context.http);
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    refuse(stream, rawHeaders, error, context);
    return;
  }
  const isTunnel = head.method === "CONNECT" || head.protocol !== undefined;
  const exchange = new Http2Exchange(stream, head, context, { hasBody: !isTunnel && (flags & END_STREAM) === 0 });
  exchange.serve();
}

function refuse(
  stream: Http2Stream,
  rawHeaders: readonly string[],
  error: ChannelError,
  context: ExchangeContext,
): void {
  const exchange = new Http2Exchange(stream, unreadableHead(rawHeaders), context, { hasBody: false });
  exchange.refuseRequest(error);
  // The rest of the request is not read.
  stream.server.on("finish", () => stream.server.close(RESET.NO_ERROR));
}
