// Makes the channel that answers a request.

import type { SessionHandlers } from "../channel/channel.ts";
import type { ChannelSettings } from "../channel/context.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { type AnyCodec, makeChannel } from "../channel/typed-channel.ts";
import { HttpTransport, PLAIN } from "../transport/http/transport.ts";
import type { Transport } from "../transport/transport.ts";
import { contextOf } from "./context.ts";
import type { ChannelRequest } from "./request.ts";

export interface ChannelParts {
  readonly transport: Transport;
  readonly handlers: SessionHandlers;
  readonly settings: ChannelSettings;
  readonly codec: AnyCodec | undefined;
  /** The `Content-Type` of a plain HTTP answer with a value of the codec. */
  readonly contentType: string | undefined;
  /** Undefined: the attachment of the `upgrade` check. */
  readonly attachment?: unknown;
}

/** The channel keeps nothing of the request: an idle WebSocket would keep all its header fields. */
export function newChannel(request: ChannelRequest, parts: ChannelParts): TransportChannel {
  const { transport, handlers, settings, codec, contentType } = parts;
  const context = contextOf(request);
  const channel = makeChannel(transport, handlers, settings, context, codec, contentType);
  context.channelOpened(channel, request);
  channel.publicChannel.attachment = parts.attachment === undefined ? request.attachment : parts.attachment;
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
