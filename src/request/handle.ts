// Answers one exchange: calls the handler and turns its result into exactly one response.

import { ChannelError } from "../base/errors.ts";
import { guardHandler, inspectable } from "../base/guard.ts";
import type { SendBody } from "../channel/body.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { failureOf, isClientsFault, OVERLOADED } from "../channel/failure.ts";
import { checkFields } from "../channel/headers.ts";
import { isChannelResponse } from "../channel/marker.ts";
import { implementationOf } from "../channel/public-channel.ts";
import { isLiteral, type Sendable, type SendData, type SendInit, toSendable } from "../channel/send-data.ts";
import { discardBody, discardSource } from "../channel/source.ts";
import type { Handshake } from "../codec/ws-handshake.ts";
import { ownSize } from "../protocol/encoded-message.ts";
import { PLAIN } from "../transport/http/format.ts";
import { HttpTransport } from "../transport/http/transport.ts";
import { answerBeforeHandler, logUnreadableAnswer } from "./access.ts";
import { contextOf } from "./context.ts";
import { fromResponse } from "./fetch.ts";
import { newChannel } from "./new-channel.ts";
import type { ChannelRequest } from "./request.ts";
import { checkHandshake, refuseHandshake, toAccepted } from "./upgrade.ts";
import type { UpgradeCheck, UpgradeResult } from "./upgrade-check.ts";

/** The result of a handler: a response, the channel that it opened, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing has the return type void
export type HandlerResult = SendInit | SendBody | Response | AnyChannel | undefined | void;

/**
 * Answers a request, now or later. If it returns nothing and has opened no channel, the client gets a 404; if it throws, a 500,
 * and `onError` is called. `Attachment` is the type of the `attachment` that the server's `upgrade` check returns.
 */
export type Handler<Attachment = unknown> = (
  request: ChannelRequest<Attachment>,
) => HandlerResult | PromiseLike<HandlerResult>;

/** The function of the application whose result is sent. */
type Source = "handler" | "upgrade";

const NOT_FOUND = { status: 404, body: "Not Found\n" };

/** Never throws: an error is reported, and the client gets a response. */
export function handleRequest(request: ChannelRequest, handler: Handler): void {
  admitRequest(request);
  if (request.isRefused) return;
  const context = contextOf(request);
  if (context.upgrade !== undefined && request.isWebSocket) checkUpgrade(request, context.upgrade, handler);
  else guardHandler(handler, request, answer, fail);
}

/** Answers a request for a foreign host, and a preflight, before any code of the application. Never throws. */
export function admitRequest(request: ChannelRequest): void {
  const { debug, access } = contextOf(request);
  if (debug !== undefined) logUnreadableAnswer(request, debug);
  if (access.isChecked && answerBeforeHandler(request)) request.isRefused = true;
}

/** Calls the handler only for WebSockets that may open. Bytes that arrive meanwhile wait. */
function checkUpgrade(request: ChannelRequest, check: UpgradeCheck, handler: Handler): void {
  try {
    const handshake = toHandshake(request);
    if (handshake === undefined) return;
    guardHandler(
      check,
      request,
      (_, result) => upgradeChecked(request, handshake, result, handler),
      (_, error) => fail(request, error, "upgrade"),
    );
  } catch (error) {
    fail(request, error, "upgrade");
  }
}

/** Returns undefined if the handshake was refused; the client has its response then. */
function toHandshake(request: ChannelRequest): Handshake | undefined {
  try {
    return checkHandshake(request);
  } catch (error) {
    refuseHandshake(request, error);
    return undefined;
  }
}

function upgradeChecked(request: ChannelRequest, handshake: Handshake, result: UpgradeResult, handler: Handler): void {
  try {
    if (request.channel !== undefined)
      throw new ChannelError("ALREADY_ANSWERED", "an upgrade check opened a channel; open it in the handler");
    request.upgrade = toAccepted(handshake, result);
    if (request.upgrade === undefined) answer(request, result as HandlerResult, "upgrade");
    // The client left during the check, so no channel is opened.
    else if (request.exchange.isClientGone) request.exchange.abort();
    else guardHandler(handler, request, answer, fail);
  } catch (error) {
    fail(request, error, "upgrade");
  }
}

function answer(request: ChannelRequest, result: HandlerResult, source: Source = "handler"): void {
  try {
    if (request.channel !== undefined) checkNothingElse(request, result);
    else if (result === undefined) respond(request, NOT_FOUND);
    else if (isTextOrLiteral(result)) respond(request, result);
    else if (result instanceof Response) answerResponse(request, result, source);
    else if (implementationOf(result) !== undefined)
      throw new ChannelError("BAD_DATA", "a channel of another request; return the one that this request has");
    else respond(request, result as SendData);
  } catch (error) {
    fail(request, error, source);
  }
}

/** True for text or an object literal. Tested first: nearly all results are one, and Fetch is loaded only when it is used. */
function isTextOrLiteral(result: HandlerResult): result is string | SendInit {
  return typeof result === "string" || (typeof result === "object" && result !== null && isLiteral(result));
}

function answerResponse(request: ChannelRequest, response: Response, source: Source): void {
  fromResponse(response).then(
    (data) => {
      try {
        respond(request, data);
      } catch (error) {
        fail(request, error, source);
      }
    },
    (error) => fail(request, error, source),
  );
}

/** Reports a result beside an open channel: a second response would be read as the answer to the next request. */
function checkNothingElse(request: ChannelRequest, result: HandlerResult): void {
  if (result === undefined || result === null) return;
  if (implementationOf(result) === request.channel) return;
  if (result instanceof Response && isChannelResponse(result)) return;
  discardBody(result);
  const error = new ChannelError(
    "ALREADY_ANSWERED",
    "a channel is open, so what the handler returned was dropped; return nothing or the channel",
  );
  contextOf(request).report(error, { source: "handler", request });
}

function respond(request: ChannelRequest, data: SendData): void {
  const { exchange } = request;
  const sendable = toSendable(data);
  if (sendable.parts === undefined) {
    const { message } = hasRoom(request, sendable) ? sendable : toSendable(OVERLOADED);
    exchange.respond(PLAIN.head(message, "whole"), message.body);
    return;
  }
  // The head is checked before there is a channel, which would have to be closed again.
  try {
    checkFields(sendable.message.fields);
  } catch (error) {
    discardSource(sendable.parts);
    throw error;
  }
  // A channel pulls the stream at the client's pace and watches it for failure.
  const transport = new HttpTransport(exchange, PLAIN, [], { outlivesFin: true });
  const channel = newChannel(request, { transport, handlers: {}, settings: UNLIMITED });
  // `begin` comes first, so that the channel learns of the end of its transport even if the stream cannot be read.
  channel.begin(undefined);
  channel.send(sendable, "last");
}

/** False while all channels together hold too many unsent bytes and this response would be its equal share or more. */
function hasRoom(request: ChannelRequest, { message }: Sendable): boolean {
  const { buffered } = contextOf(request);
  return !buffered.isExceeded || message.body === null || !buffered.isShareSpent(ownSize(message));
}

/** The response is a single send, so a limit on unsent bytes has nothing to refuse. */
const UNLIMITED = {
  maxBufferedBytes: Number.POSITIVE_INFINITY,
  onOverflow: "drop",
  heartbeat: { pingIntervalMs: 0, pongTimeoutMs: 0 },
} as const;

function fail(request: ChannelRequest, thrown: unknown, source: Source = "handler"): void {
  const { exchange } = request;
  const error = inspectable(thrown);
  if (!isClientsFault(error) && !request.isEndedBy(error)) contextOf(request).report(error, { source, request });
  if (request.channel !== undefined) request.channel.failed(error);
  else if (!exchange.isAnswered) respond(request, failureOf(error));
}
