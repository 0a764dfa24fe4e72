// Opens a session for a request, or finds the one whose token it carries. PROTOCOL.md, "Carriers", "POST", "Resuming a session".
// Every request of a session comes through here, after the application's own handler has accepted it.
// Long because each kind of request of a session is found, accepted or refused here.

import { shortToken } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import type { AnyChannel, Channel, LostSession, Message, SessionHandlers } from "../channel/channel.ts";
import { toExpiry } from "../channel/expiry.ts";
import { checkFields, NO_FIELDS, toFields } from "../channel/headers.ts";
import type { SendData } from "../channel/send-data.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import { MAX_SINCE_LENGTH, parseCount, SESSION_PROTOCOL } from "../codec/session-record.ts";
import { MAX_REQUESTS } from "../protocol/asked-requests.ts";
import { type AttachmentOf, acceptWebSocket } from "../request/accept.ts";
import { isOriginAllowed, letPageReadRefusal } from "../request/access.ts";
import { toHandlers } from "../request/channel-options.ts";
import { contextOf } from "../request/context.ts";
import { closedChannel, newChannel } from "../request/new-channel.ts";
import { toRefusal } from "../request/refusal.ts";
import { ChannelRequest } from "../request/request.ts";
import type { WebSocketOptions } from "../transport/exchange.ts";
import { HttpTransport } from "../transport/http/transport.ts";
import { answerFields, answerOther, refuseSession } from "./answer.ts";
import {
  type Carrier,
  LongRecordCarrier,
  PollCarrier,
  RECORD_STREAM,
  StreamCarrier,
  WebSocketCarrier,
} from "./carrier.ts";
import { toChannelSettings } from "./channel-settings.ts";
import { CursorTransport } from "./cursor-transport.ts";
import { Cursors } from "./cursors.ts";
import { type AnySessionOptions, checkSessionOptions, type SessionOptions } from "./options.ts";
import { acceptPost } from "./post.ts";
import { type OpenSession, type Sessions, sessionLost, sessionsOf } from "./registry.ts";
import { maxContentBytes, Requests } from "./requests.ts";
import { restoreSession } from "./restore.ts";
import type { ServerSession } from "./server-session.ts";
import { toSessionSettings } from "./settings.ts";
import { SessionTransport } from "./transport.ts";

const LETTERED = new WeakMap<WebSocketOptions, WebSocketOptions>();

/**
 * Opens a session for a request, or resumes the one whose token it carries: a channel that outlives its connection, the same
 * over WebSocket, event stream and poll, with no message lost, duplicated or reordered while it lives (PROTOCOL.md).
 *
 * Every request of a client comes through the handler and here, posted messages too. The first one makes the channel and calls
 * `handlers.open`; the others return the same channel, and of their `handlers` and `options` only
 * `identity`, `headers` and `compress` count. A request that is refused (400, 403, 405, 406, 410, 503) gets a channel that is closed.
 *
 * Throws ALREADY_ANSWERED and NOT_OUR_REQUEST, as `openChannel` does.
 */
export function openSession<R extends ChannelRequest | Request, In, Out, Attachment = AttachmentOf<R>>(
  request: R,
  handlers: SessionHandlers<In, Out, Attachment>,
  options: SessionOptions<In, Out, Attachment> & { readonly codec: MessageCodec<In, Out> },
): Channel<In, Out, NoInfer<Attachment>>;
export function openSession<R extends ChannelRequest | Request, Attachment = AttachmentOf<R>>(
  request: R,
  handlers: SessionHandlers<Message, SendData, Attachment>,
  options?: SessionOptions<Message, SendData, Attachment>,
): Channel<Message, SendData, NoInfer<Attachment>>;
export function openSession(
  request: ChannelRequest | Request,
  handlers: SessionHandlers,
  options: AnySessionOptions = {},
): AnyChannel {
  const original = ChannelRequest.unanswered(request);
  if (original.isRefused) return closedChannel(original, options).publicChannel;
  const accepted = accept(original, handlers, options);
  const isRefused = accepted instanceof HttpTransport;
  return (isRefused ? closedChannel(original, options, accepted) : accepted).publicChannel;
}

/** Returns the session's channel, or the refusal of the request. */
function accept(
  request: ChannelRequest,
  given: SessionHandlers,
  options: AnySessionOptions,
): TransportChannel | HttpTransport {
  // Mistakes of the application are found here, before anything is created.
  const handlers = toHandlers("openSession", given);
  checkSessionOptions(options);
  const own = options.headers === undefined ? NO_FIELDS : checkFields(toFields(options.headers));
  request.exchange.refusalFields = own;
  try {
    if (isForeign(request)) throw new ChannelError("FORBIDDEN_ORIGIN");
    const expiresAt = toExpiry(options.expiresAt, contextOf(request).clock);
    if (request.isWebSocket || request.method === "GET")
      return acceptCarrier(request, handlers, options, { own, expiresAt });
    if (request.method === "POST") {
      const { query } = request;
      const context = contextOf(request);
      const from = toCount(query.get("from") ?? "", "from");
      const session = find(request, query.get("session") ?? "", handlers, options);
      if (session !== undefined) extend(session.channel, expiresAt);
      const { maxMessageBytes = context.webSocket.maxMessageBytes } = options;
      return acceptPost(request, session, { from, maxMessageBytes, fields: answerFields(own) });
    }
  } catch (error) {
    const refusal = toRefusal(error);
    if (refusal.code === "FORBIDDEN_ORIGIN") letPageReadRefusal(request);
    return refuseSession(request, refusal);
  }
  return answerOther(request, answerFields(own));
}

/**
 * A POST proves an identity that lasts longer. An earlier date changes nothing: the POST may have been sent before the carrier
 * that renewed the identity, whose date the client knows.
 */
function extend(channel: TransportChannel, expiresAt = Number.NEGATIVE_INFINITY): void {
  if (channel.expiresAt !== undefined && expiresAt > channel.expiresAt) channel.expiresAt = expiresAt;
}

/**
 * True for a request of a page that may not connect. An image's GET has no `Origin` but carries the visitor's cookies:
 * `Sec-Fetch-Site` says where it comes from (W3C Fetch Metadata §2.3). A request whose answer a page can read always has
 * an `Origin`.
 */
function isForeign(request: ChannelRequest): boolean {
  if (!isOriginAllowed(request)) return true;
  return !request.headers.has("origin") && /-site$/.test(request.headers.get("sec-fetch-site") ?? "");
}

/** The results of the options of one request. */
interface RequestOptions {
  /** The application's fields. */
  readonly own: readonly string[];
  /** The date at which the identity of this request ends, in milliseconds; undefined: the request brings none. */
  readonly expiresAt: number | undefined;
}

/** Accepts a WebSocket or GET as the carrier of the session that it names, or of a new one. */
function acceptCarrier(
  request: ChannelRequest,
  handlers: SessionHandlers,
  options: AnySessionOptions,
  { own, expiresAt }: RequestOptions,
): TransportChannel | HttpTransport {
  const { query } = request;
  const token = query.get("session");
  const after = toCount(query.get("after") ?? "0", "after");
  const attempt = query.has("try") ? toCount(query.get("try")!, "try") : undefined;
  const cursors = query.has("cursors") ? toCount(query.get("cursors")!, "cursors") : undefined;
  const requests = query.has("requests") ? toCount(query.get("requests")!, "requests") : undefined;
  // A client that has left cannot switch protocols.
  if (request.isWebSocket && request.exchange.isClientGone)
    return refuseSession(request, { status: 400, message: "the client is gone" });
  if (!request.isWebSocket && query.get("mode") !== "poll" && !request.acceptsEventStream) {
    return refuseSession(request, {
      status: 406,
      message: "a session's GET accepts text/event-stream, or has mode=poll",
    });
  }
  const found = token === null ? undefined : find(request, token, handlers, options);
  if (found?.transport.session.isLate(attempt))
    return refuseSession(request, { status: 409, message: "a later request has resumed the session" });
  if (found?.transport.session.canResume(after)) {
    const isPrompt = query.get("park") === "0";
    const { session } = found.transport;
    // Before `open` is written, which tells the client.
    if (expiresAt !== undefined) found.channel.expiresAt = expiresAt;
    found.transport.attach(toCarrier(request, options, own, session), {
      after,
      attempt,
      isResumed: true,
      isPrompt,
    });
    request.opened(found.channel);
    return found.channel;
  }
  if (token !== null) {
    sessionLost(request);
    const why =
      found === undefined ? "unknown, expired, of another identity or of another path" : `${after} was never sent`;
    contextOf(request).debug?.(`session ${shortToken(token)} not resumed: ${why}; the client gets a new one`);
  }
  const lost = token === null ? undefined : { received: after, groups: cursors ?? 0 };
  return acceptFirst(request, handlers, options, { own, expiresAt, attempt, cursors, requests, lost });
}

/** Finds a session that is open here, or opens one that this process has taken from the session store. */
function find(
  request: ChannelRequest,
  token: string,
  handlers: SessionHandlers,
  options: AnySessionOptions,
): OpenSession | undefined {
  const sessions = sessionsOf(request);
  const { identity } = options;
  const found = sessions.find(token, identity, request.path);
  // The handler was asynchronous, and the session is on its way to the store: what came now would stay behind.
  if (found?.transport.isLeaving === true) throw new ChannelError("SESSION_UNREACHABLE", "this process is stopping");
  const taken = found === undefined ? sessions.findTaken(token, identity, request.path) : undefined;
  const session = taken === undefined ? found : restoreSession(request, taken, handlers, options);
  // An identity that has ended is not renewed any more, even if no tick has closed the session so far.
  session?.channel.expireIfDue();
  return session;
}

interface FirstRequest extends RequestOptions {
  readonly attempt: number | undefined;
  /** The number of cursors that the client keeps; undefined if it keeps none. */
  readonly cursors: number | undefined;
  /** The most requests that the client takes at once; undefined if it takes none. */
  readonly requests: number | undefined;
  /** The session that the client had before, if it had one. */
  readonly lost: LostSession | undefined;
}

/** Opens a session and accepts the request as its first carrier. Throws TOO_MANY_SESSIONS before anything is sent. */
function acceptFirst(
  request: ChannelRequest,
  handlers: SessionHandlers,
  options: AnySessionOptions,
  { own, expiresAt, attempt, cursors: told, requests, lost }: FirstRequest,
): TransportChannel {
  const context = contextOf(request);
  const sessions = sessionsOf(request);
  // It would end at once. A balancer that does not know yet sends the client's next request to another process.
  if (sessions.elsewhere?.isStopping === true)
    throw new ChannelError("SESSION_UNREACHABLE", "this process is stopping");
  const { identity, codec, attachment, maxMessageBytes = context.webSocket.maxMessageBytes } = options;
  const network = sessions.admit(request);
  const cursors = told === undefined ? undefined : toCursors(told, sessions);
  const asks = requests === undefined ? undefined : toRequests(requests, options);
  const carrier = toCarrier(request, options, own, { cursors, requests: asks });
  const Transport = cursors === undefined ? SessionTransport : CursorTransport;
  const transport = new Transport(sessions.newToken(), carrier.kind, toSessionSettings(options), sessions);
  transport.session.cursors = cursors;
  transport.session.requests = asks;
  const settings = toChannelSettings(options, request);
  const channel = newChannel(request, { transport, handlers, settings, codec, attachment, expiresAt });
  sessions.add({ transport, channel, identity, path: request.path, maxMessageBytes, network });
  try {
    transport.attach(carrier, { after: 0, attempt, isResumed: false, isPrompt: true });
  } catch (error) {
    // The session never began, so nothing else would end it.
    channel.begin(undefined);
    channel.terminate();
    throw error;
  }
  channel.begin(lost === undefined ? handlers.open : channel.callbacks.openedAfter(lost));
  return channel;
}

function toCursors(told: number, sessions: Sessions): Cursors {
  return told === 0 ? sessions.noCursors : new Cursors("awaited", sessions.received);
}

function toRequests(asked: number, { maxRequests: answered = MAX_REQUESTS }: AnySessionOptions): Requests {
  return new Requests({ asked, answered, last: 0, lastOfClient: 0 });
}

/** The last parameter: the session's. */
function toCarrier(
  request: ChannelRequest,
  options: AnySessionOptions,
  own: readonly string[],
  { cursors, requests }: Pick<ServerSession, "cursors" | "requests">,
): Carrier {
  const context = contextOf(request);
  const { compress, maxMessageBytes = context.webSocket.maxMessageBytes } = options;
  if (request.isWebSocket) {
    const isAwaited = cursors?.areAwaited === true;
    const isLong = isAwaited || requests !== undefined;
    const ofRequest = requests === undefined ? 0 : maxContentBytes(maxMessageBytes);
    const longest = Math.max(maxMessageBytes, isAwaited ? MAX_SINCE_LENGTH : 0, ofRequest);
    const settings = { protocols: requireProtocol, maxMessageBytes: longest + 1, compress };
    const transport = acceptWebSocket(request, own, settings, lettered(context.webSocket));
    return isLong
      ? new LongRecordCarrier(transport, maxMessageBytes)
      : new WebSocketCarrier(transport, maxMessageBytes);
  }
  const transport = new HttpTransport(request.exchange, RECORD_STREAM, answerFields(own), options);
  return request.query.get("mode") === "poll" ? new PollCarrier(transport) : new StreamCarrier(transport);
}

/** The settings of a server's WebSockets, with one byte more for the letter of a text record. */
function lettered(settings: WebSocketOptions): WebSocketOptions {
  let own = LETTERED.get(settings);
  if (own === undefined) {
    own = { ...settings, maxMessageBytes: settings.maxMessageBytes + 1 };
    LETTERED.set(settings, own);
  }
  return own;
}

function requireProtocol(offered: readonly string[]): string {
  if (offered.includes(SESSION_PROTOCOL)) return SESSION_PROTOCOL;
  throw new ChannelError("BAD_HANDSHAKE", `a session's WebSocket offers the sub-protocol ${SESSION_PROTOCOL}`);
}

function toCount(text: string, name: string): number {
  const count = parseCount(text);
  if (count === undefined) throw new ChannelError("BAD_REQUEST", `${name} is not a number`);
  return count;
}
