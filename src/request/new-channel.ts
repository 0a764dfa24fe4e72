// Makes the channel that answers a request.

import type { TransportChannel } from "../channel/transport-channel.ts";
import { type ChannelParts, makeChannel } from "../channel/typed-channel.ts";
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
