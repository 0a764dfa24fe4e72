// Channels in the handlers of a Hono application, under `serve({ fetch })` of this library and under @hono/node-server with
// `attach`. The functions are those of the core with Hono's context in place of the request, and return a Response as every
// handler of Hono does.

import type { Context } from "hono";
import type { Channel, ChannelHandlers, Message, SessionHandlers } from "../../channel/channel.ts";
import { type HeadersInput, toFields } from "../../channel/headers.ts";
import type { SendData } from "../../channel/send-data.ts";
import { joinFields, withoutContentFields } from "../../codec/field-list.ts";
import type { MessageCodec, WithCodec } from "../../codec/message-codec.ts";
import type { AnyChannelStore } from "../../group/channel-store.ts";
import { pollGroup as pollGroupOf } from "../../group/poll.ts";
import type { PollOptions } from "../../group/store-options.ts";
import { openChannel as openChannelOf, withChannel as withChannelOf } from "../../request/accept.ts";
import type { ChannelOptions } from "../../request/channel-options.ts";
import type { ChannelRequest } from "../../request/request.ts";
import { openSession as openSessionOf } from "../../session/open-session.ts";
import type { SessionOptions } from "../../session/options.ts";
import { requestOf } from "../node/attach.ts";

type Original = ChannelRequest | Request;

/** @hono/node-server sends nothing for a response with this field (its `RESPONSE_ALREADY_SENT`). */
const SENT_BY_OTHERS = "x-hono-already-sent";

/**
 * Opens a channel for the request of a Hono handler and calls `setup` with it, as `withChannel` of "unichannel" does. Return the
 * response. Headers that middleware has set before are sent, too.
 *
 * Throws what `withChannel` throws, and NOT_OUR_REQUEST under @hono/node-server without `attach`.
 */
export function withChannel<In, Out, Attachment = unknown>(
  c: Context,
  setup: (channel: Channel<In, Out, Attachment>) => unknown,
  options: ChannelOptions<In, Out, Attachment> & WithCodec<In, Out>,
): Response;
export function withChannel<Attachment = unknown>(
  c: Context,
  setup: (channel: Channel<Message, SendData, Attachment>) => unknown,
  options?: ChannelOptions<Message, SendData, Attachment>,
): Response;
export function withChannel(c: Context, setup: (channel: Channel) => unknown, options: ChannelOptions = {}): Response {
  return answer(c, options.headers, (request, headers) => withChannelOf(request, setup, { ...options, headers }));
}

/** Like `withChannel`, with all callbacks up front, as `openChannel` of "unichannel". */
export function openChannel<In, Out, Attachment = unknown>(
  c: Context,
  handlers: ChannelHandlers<In, Out, Attachment>,
  options: ChannelOptions<In, Out, Attachment> & WithCodec<In, Out>,
): Response;
export function openChannel<Attachment = unknown>(
  c: Context,
  handlers: ChannelHandlers<Message, SendData, Attachment>,
  options?: ChannelOptions<Message, SendData, Attachment>,
): Response;
export function openChannel(c: Context, handlers: ChannelHandlers, options: ChannelOptions = {}): Response {
  return answer(c, options.headers, (request, headers) => openChannelOf(request, handlers, { ...options, headers }));
}

/**
 * Opens or resumes a session, as `openSession` of "unichannel". Its route is for GET and POST: `app.all`. The body of a POST
 * must not have been read before.
 */
export function openSession<In, Out, Attachment = unknown>(
  c: Context,
  handlers: SessionHandlers<In, Out, Attachment>,
  options: SessionOptions<In, Out, Attachment> & { readonly codec: MessageCodec<In, Out> },
): Response;
export function openSession<Attachment = unknown>(
  c: Context,
  handlers: SessionHandlers<Message, SendData, Attachment>,
  options?: SessionOptions<Message, SendData, Attachment>,
): Response;
export function openSession(c: Context, handlers: SessionHandlers, options: SessionOptions = {}): Response {
  return answer(c, options.headers, (request, headers) => openSessionOf(request, handlers, { ...options, headers }));
}

/** Answers a long poll with messages that were published to a group, as `pollGroup` of "unichannel". */
export function pollGroup(c: Context, store: AnyChannelStore, group: string, options: PollOptions = {}): Response {
  return answer(c, options.headers, (request, headers) => pollGroupOf(request, store, group, { ...options, headers }));
}

function answer(
  c: Context,
  own: HeadersInput | undefined,
  open: (request: Original, headers: HeadersInput) => { readonly response: Response },
): Response {
  const request = originalOf(c);
  if (request === undefined) return new Response(null, { status: 426 });
  const { response } = open(request, headersOf(c, own));
  const headers = new Headers(response.headers);
  headers.set(SENT_BY_OTHERS, "true");
  const placeholder = new Response(null, { headers });
  // @hono/node-server replaces `Response` with a class that it sends without a look at this field, until the body was read.
  void placeholder.body;
  return placeholder;
}

/** The bindings of @hono/node-server. */
interface Bindings {
  readonly incoming?: Parameters<typeof requestOf>[0];
  readonly outgoing?: Parameters<typeof requestOf>[1];
}

/**
 * Undefined for an upgrade that @hono/node-server brings a second time: with its option `websocket` it runs the application
 * for each upgrade, without a response, also for those that are ours and come as requests.
 */
function originalOf(c: Context): Original | undefined {
  const { incoming, outgoing } = (c.env ?? {}) as Bindings;
  if (incoming === undefined) return c.req.raw;
  return outgoing === undefined ? undefined : requestOf(incoming, outgoing);
}

/** The headers of middleware and those of the options, which win. */
function headersOf(c: Context, own: HeadersInput | undefined): HeadersInput {
  const set = withoutContentFields(toFields(c.res.headers));
  const fields = joinFields(set, own === undefined ? [] : toFields(own));
  const pairs: [string, string][] = [];
  for (let i = 0; i < fields.length; i += 2) pairs.push([fields[i]!, fields[i + 1]!]);
  return pairs;
}
