// Makes the channel that answers a request.

import type { TransportChannel } from "../channel/transport-channel.ts";
import { type ChannelParts, makeChannel } from "../channel/typed-channel.ts";
import { HttpTransport, PLAIN } from "../transport/http/transport.ts";
import { contextOf } from "./context.ts";
import type { ChannelRequest } from "./request.ts";

/**
 * Makes the channel of a request. It holds no reference to the request: an idle WebSocket would keep all header fields.
 *
 * @param parts `attachment`: undefined for the one that the `upgrade` check returned
 */
export function newChannel(
  request: ChannelRequest,
  parts: ChannelParts & { readonly attachment?: unknown },
): TransportChannel {
  const context = contextOf(request);
  const channel = makeChannel(context, parts);
  context.channelOpened(channel, request);
  const { attachment = request.attachment } = parts;
  channel.publicChannel.attachment = attachment;
  return channel;
}

/** The channel of a request that was refused before the handler ran: it is closed, and its setup does not run. */
export function refusedChannel(request: ChannelRequest): TransportChannel {
  const transport = new HttpTransport(request.exchange, PLAIN, []);
  const channel = newChannel(request, { transport, handlers: {}, settings: contextOf(request).channelSettings });
  request.opened(channel);
  channel.begin(undefined);
  channel.close();
  return channel;
}
