// Handles a response that other code has begun and ended although its request had become a channel request.

import { ChannelError } from "../../base/errors.ts";
import { ChannelRequest } from "../../request/request.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { Exchange } from "../../transport/exchange.ts";

/**
 * True if the route may answer: it has made a channel request and opened no channel. If it has opened a channel, two answers would
 * mix: the mistake is reported, and the client has to be cut off.
 */
export function mayBeAnsweredElsewhere({ listener }: Exchange, server: ExchangeServer): boolean {
  if (listener instanceof ChannelRequest) return true;
  reportAnsweredElsewhere(server);
  return false;
}

export function reportAnsweredElsewhere(server: ExchangeServer): void {
  const what = "other code has ended the response: keep the framework from it (Koa: ctx.respond = false)";
  server.report(new ChannelError("ALREADY_ANSWERED", what), { source: "handler" });
}
