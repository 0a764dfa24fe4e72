// Opens a channel for a request: chooses its transport and the fields of the response. All servers and adapters share these
// decisions.

import { callSync } from "../base/guard.ts";
import type { AnyChannel, Channel, ChannelHandlers, Message } from "../channel/channel.ts";
import type { ChannelSettings } from "../channel/context.ts";
import { toExpiry } from "../channel/expiry.ts";
import { checkFields, NO_FIELDS, toFields } from "../channel/headers.ts";
import type { SendData } from "../channel/send-data.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { fieldsBeside, joinFields, withoutNames } from "../codec/field-list.ts";
import { fieldValue } from "../codec/field-values.ts";
import type { WithCodec } from "../codec/message-codec.ts";
import { negotiateDeflate, parseExtensions } from "../codec/ws-extensions.ts";
import { chooseProtocol } from "../codec/ws-handshake.ts";
import { toCompressSettings } from "../transport/compression/deflate.ts";
import { PermessageDeflate } from "../transport/compression/permessage-deflate.ts";
import type { WebSocketOptions } from "../transport/exchange.ts";
import { PLAIN } from "../transport/http/format.ts";
import { EVENT_STREAM } from "../transport/http/sse.ts";
import { HttpTransport } from "../transport/http/transport.ts";
import type { Transport } from "../transport/transport.ts";
import {
  type ChannelOptions,
  type ChooseProtocol,
  checkChannelOptions,
  checkSetup,
  toHandlers,
} from "./channel-options.ts";
import { contextOf } from "./context.ts";
import { closedChannel, newChannel } from "./new-channel.ts";
import { ChannelRequest } from "./request.ts";
import { checkHandshake, refuseHandshake } from "./upgrade.ts";

type AnyOptions = ChannelOptions<unknown, never>;

/** The attachment that a channel gets from its request, where its options have none. */
export type AttachmentOf<R> = R extends ChannelRequest<infer Attachment> ? Attachment | undefined : unknown;

const NO_HANDLERS: ChannelHandlers = {};
const NO_OPTIONS: AnyOptions = {};

/** Fields that an application cannot set: those of the handshake itself, and of a body (RFC 9110 §8.6, RFC 9112 §6.1). */
const HANDSHAKE_ONLY: ReadonlySet<string> = new Set([
  ...["upgrade", "connection", "sec-websocket-accept", "sec-websocket-extensions"],
  ...["content-length", "transfer-encoding"],
]);

/**
 * Opens a channel for a request and calls `setup` with it at once: the request's answer is the channel from now on.
 *
 * A WebSocket's handshake is checked first and its 101 sent; if it is malformed the client gets 400 or 426 (403 for a
 * page of another origin), `setup` does not run and the channel that comes back is closed. `setup` may be async:
 * messages that arrive meanwhile are held (64 messages or 64 KiB, then the socket is not read), so none is lost. If it
 * throws, the client gets 500, or the channel is closed if something was sent.
 *
 * Throws ALREADY_ANSWERED if the request has its channel or response, NOT_OUR_REQUEST for a foreign Fetch `Request`.
 */
export function withChannel<R extends ChannelRequest | Request, In, Out, Attachment = AttachmentOf<R>>(
  request: R,
  setup: (channel: Channel<In, Out, Attachment>) => unknown,
  options: ChannelOptions<In, Out, Attachment> & WithCodec<In, Out>,
): Channel<In, Out, NoInfer<Attachment>>;
export function withChannel<R extends ChannelRequest | Request, Attachment = AttachmentOf<R>>(
  request: R,
  setup: (channel: Channel<Message, SendData, Attachment>) => unknown,
  options?: ChannelOptions<Message, SendData, Attachment>,
): Channel<Message, SendData, NoInfer<Attachment>>;
export function withChannel(
  request: ChannelRequest | Request,
  setup: (channel: Channel) => unknown,
  options: AnyOptions = NO_OPTIONS,
): AnyChannel {
  checkSetup(setup);
  if (options !== NO_OPTIONS) checkChannelOptions("withChannel", options);
  return accept(request, NO_HANDLERS, setup, options).publicChannel;
}

/** Like `withChannel`, with all callbacks up front: the form that costs least when many channels share them. */
export function openChannel<R extends ChannelRequest | Request, In, Out, Attachment = AttachmentOf<R>>(
  request: R,
  handlers: ChannelHandlers<In, Out, Attachment>,
  options: ChannelOptions<In, Out, Attachment> & WithCodec<In, Out>,
): Channel<In, Out, NoInfer<Attachment>>;
export function openChannel<R extends ChannelRequest | Request, Attachment = AttachmentOf<R>>(
  request: R,
  handlers: ChannelHandlers<Message, SendData, Attachment>,
  options?: ChannelOptions<Message, SendData, Attachment>,
): Channel<Message, SendData, NoInfer<Attachment>>;
export function openChannel(
  request: ChannelRequest | Request,
  handlers: ChannelHandlers,
  options: AnyOptions = NO_OPTIONS,
): AnyChannel {
  const own = toHandlers("openChannel", handlers);
  if (options !== NO_OPTIONS) checkChannelOptions("openChannel", options);
  return accept(request, own, own.open, options).publicChannel;
}

function accept(
  request: ChannelRequest | Request,
  handlers: ChannelHandlers,
  setup: ChannelHandlers["open"],
  options: AnyOptions,
): TransportChannel {
  const original = ChannelRequest.unanswered(request);
  if (original.isRefused) return closedChannel(original, options);
  // Everything that may throw comes first: the request is still unanswered then, so the client gets a 500.
  const { codec, headers, attachment } = options;
  const fields = headers === undefined ? NO_FIELDS : checkFields(toFields(headers));
  if (fields.length > 0) original.exchange.refusalFields = fields;
  const settings = toSettings(options, original);
  const contentType = contentTypeOf(codec, fields);
  const { transport, isRefused, expiresAt } = chooseTransport(original, fields, options);
  if (isRefused) return closedChannel(original, options, transport);
  const channel = newChannel(original, { transport, handlers, settings, codec, contentType, attachment, expiresAt });
  channel.begin(setup);
  return channel;
}

/** The `Content-Type` of responses with a value of the codec; undefined if the application's headers have one. */
function contentTypeOf(codec: AnyOptions["codec"], fields: readonly string[]): string | undefined {
  if (codec?.contentType === undefined) return undefined;
  return fieldValue(fields, "content-type") === undefined ? codec.contentType : undefined;
}

/** Returns the server's settings, shared, if the options change none of them. */
export function toSettings(options: AnyOptions, request: ChannelRequest): ChannelSettings {
  const { maxBufferedBytes, onOverflow, pingIntervalMs, pongTimeoutMs } = options;
  const { channelSettings: shared, rates: serverRates } = contextOf(request);
  const rates = serverRates.settingsFor(request, options);
  const own = maxBufferedBytes ?? onOverflow ?? pingIntervalMs ?? pongTimeoutMs;
  if (own === undefined && rates === shared.rates) return shared;
  return {
    maxBufferedBytes: maxBufferedBytes ?? shared.maxBufferedBytes,
    onOverflow: onOverflow ?? shared.onOverflow,
    heartbeat: {
      pingIntervalMs: pingIntervalMs ?? shared.heartbeat.pingIntervalMs,
      pongTimeoutMs: pongTimeoutMs ?? shared.heartbeat.pongTimeoutMs,
    },
    rates,
  };
}

interface Chosen {
  readonly transport: Transport;
  readonly isRefused: boolean;
  /** The date of the option `expiresAt`, in milliseconds. */
  readonly expiresAt?: number | undefined;
}

function chooseTransport(request: ChannelRequest, fields: readonly string[], options: AnyOptions): Chosen {
  const { exchange } = request;
  try {
    const expiresAt = toExpiry(options.expiresAt, contextOf(request).clock);
    if (request.isWebSocket && !exchange.isClientGone)
      return { transport: acceptWebSocket(request, fields, options), isRefused: false, expiresAt };
    const format = options.sse !== false && request.acceptsEventStream ? EVENT_STREAM : PLAIN;
    return { transport: new HttpTransport(exchange, format, fields, options), isRefused: false, expiresAt };
  } catch (error) {
    return { transport: refuseHandshake(request, error), isRefused: true };
  }
}

/** Throws the error with which the client is refused. `usual` are the server's settings for WebSockets. */
export function acceptWebSocket(
  request: ChannelRequest,
  fields: readonly string[],
  options: AnyOptions,
  usual: WebSocketOptions = contextOf(request).webSocket,
): Transport {
  const { exchange, upgrade } = request;
  const { protocols, extensions } = upgrade?.handshake ?? checkHandshake(request);
  const response: string[] = [];
  const chosen =
    typeof options.protocols === "function"
      ? callSync("protocols", () => (options.protocols as ChooseProtocol)(protocols))
      : chooseProtocol(protocols, options.protocols ?? []);
  // RFC 6455 §4.2.2: a protocol that was not offered makes the client fail the connection.
  if (chosen !== undefined && protocols.includes(chosen)) response.push("Sec-WebSocket-Protocol", chosen);
  const compressed = negotiateCompression(extensions, options.compress);
  if (compressed !== undefined) response.push("Sec-WebSocket-Extensions", compressed.answer);
  const compression = compressed?.compression;
  const { maxMessageBytes = usual.maxMessageBytes } = options;
  const isUsual = compression === undefined && maxMessageBytes === usual.maxMessageBytes;
  const settings = isUsual ? usual : { ...usual, maxMessageBytes, compression };
  const own = upgrade === undefined ? fields : joinFields(upgrade.fields, fields);
  if (own.length > 0) response.push(...fieldsBeside(withoutNames(own, HANDSHAKE_ONLY), response));
  return exchange.acceptWebSocket(response, settings);
}

function negotiateCompression(
  extensions: string,
  compress: ChannelOptions["compress"] = false,
): { readonly answer: string; readonly compression: PermessageDeflate } | undefined {
  // Parsed even if nothing is compressed: RFC 6455 §9.1 has the handshake fail for a malformed field.
  const offers = extensions === "" ? [] : parseExtensions(extensions);
  if (compress === false) return undefined;
  const settings = toCompressSettings(compress, { contextTakeover: false });
  const agreement = negotiateDeflate(offers, settings);
  if (agreement === undefined) return undefined;
  return { answer: agreement.answer, compression: new PermessageDeflate(agreement.parameters, settings) };
}
