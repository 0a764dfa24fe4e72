// Makes the channel that answers a request.

import type { TransportChannel } from "../channel/transport-channel.ts";
import { type ChannelParts, makeChannel } from "../channel/typed-channel.ts";
import { HttpTransport, PLAIN } from "../transport/http/transport.ts";
import { contextOf } from "./context.ts";
import type { ChannelRequest } from "./request.ts";

/**
 * `attachment`: undefined for that of the `upgrade` check.
 *
 * The channel keeps nothing of the request: an idle WebSocket would keep all its header fields.
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

/** The channel of a request that was refused before anybody was asked: it is closed, and its setup does not run. */
export function refusedChannel(request: ChannelRequest): TransportChannel {
  const transport = new HttpTransport(request.exchange, PLAIN, []);
  const channel = newChannel(request, {
    ...{ transport, handlers: {}, settings: contextOf(request).channelSettings },
    ...{ codec: undefined, contentType: undefined },
  });
  request.opened(channel);
  channel.begin(undefined);
  channel.close();
  return channel;
}
