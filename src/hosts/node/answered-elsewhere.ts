// A response that other code has begun and ended, while its exchange was ours.

import { ChannelError } from "../../base/errors.ts";
import { ChannelRequest } from "../../request/request.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { Exchange } from "../../transport/exchange.ts";

/**
 * True if the route has asked for its request and answered by itself, as it may. Where it has opened a channel, the response was the
 * channel's: the mistake is reported, and the client has to be cut off.
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
