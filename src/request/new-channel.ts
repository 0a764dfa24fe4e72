// Makes the channel that answers a request: an open one, or a closed one for a request that is refused.

import type { TransportChannel } from "../channel/transport-channel.ts";
import { type ChannelParts, makeChannel } from "../channel/typed-channel.ts";
import { PLAIN } from "../transport/http/format.ts";
import { HttpTransport } from "../transport/http/transport.ts";
import type { Transport } from "../transport/transport.ts";
import { contextOf } from "./context.ts";
import type { ChannelRequest } from "./request.ts";

interface NewChannelParts extends ChannelParts {
  /** Undefined: the one that the `upgrade` check returned. */
  readonly attachment?: unknown;
  /** The date at which the client's identity ends, in milliseconds. */
  readonly expiresAt?: number | undefined;
}

/** Makes the channel that answers a request from now on. It holds no reference to the request: an idle WebSocket would keep all header fields. */
export function newChannel(request: ChannelRequest, parts: NewChannelParts): TransportChannel {
  const context = contextOf(request);
  const channel = makeChannel(context, parts);
  context.channelOpened(channel, request);
  const { attachment = request.attachment } = parts;
  channel.publicChannel.attachment = attachment;
  if (parts.expiresAt !== undefined) channel.expiresAt = parts.expiresAt;
  request.opened(channel);
  return channel;
}

/**
 * Makes the closed channel of a request that is refused: sends return false, and no callback runs.
 *
 * @param parts the codec and the attachment that the channel would have had
 * @param transport the transport with the refusal; by default that of a request that was answered before its handler ran
 */
export function closedChannel(
  request: ChannelRequest,
  { codec, attachment }: Pick<NewChannelParts, "codec" | "attachment">,
  transport: Transport = answeredTransport(request),
): TransportChannel {
  const { channelSettings: settings } = contextOf(request);
  const channel = newChannel(request, { transport, handlers: {}, settings, codec, attachment });
  channel.begin(undefined);
  return channel;
}

function answeredTransport({ exchange }: ChannelRequest): Transport {
  const transport = new HttpTransport(exchange, PLAIN, []);
  transport.close(1000, "");
  return transport;
}
