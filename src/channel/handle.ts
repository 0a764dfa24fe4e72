// One exchange from request to answer: calls the handler and turns what it returns into a response, exactly one.

import { ChannelError } from "../base/errors.ts";
import type { Exchange } from "../transport/exchange.ts";
import { HttpTransport, PLAIN } from "../transport/http.ts";
import type { Channel } from "./channel.ts";
import type { ChannelContext } from "./context.ts";
import { failureOf, isClientsFault } from "./failure.ts";
import { fromResponse } from "./fetch.ts";
import { isChannelResponse } from "./marker.ts";
import { ChannelRequest } from "./request.ts";
import { type SendBody, type SendData, type SendInit, toSendable } from "./send-data.ts";
import { isThenable, TransportChannel } from "./transport-channel.ts";

/** What a handler may return: a response, the channel it opened, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing has the return type void
export type HandlerResult = SendInit | SendBody | Response | Channel | undefined | void;

/** Answers a request, now or later. Nothing returned and no channel opened is a 404. */
export type Handler = (request: ChannelRequest) => HandlerResult | PromiseLike<HandlerResult>;

const NOT_FOUND = { status: 404, body: "Not Found\n" };

/** Never throws: what goes wrong is reported, and the client gets its answer. */
export function handleExchange(exchange: Exchange, handler: Handler, context: ChannelContext): void {
  const request = new ChannelRequest(exchange, context);
  try {
    const result = handler(request);
    if (isThenable(result)) {
      result.then(
        (value) => answer(request, value),
        (error) => fail(request, error),
      );
    } else answer(request, result);
  } catch (error) {
    fail(request, error);
  }
}

function answer(request: ChannelRequest, result: HandlerResult): void {
  try {
    if (request.channel !== undefined) checkNothingElse(request, result);
    else if (result === undefined) respond(request, NOT_FOUND);
    else if (isLiteral(result)) respond(request, result);
    else if (result instanceof Response) answerResponse(request, result);
    else if (result instanceof TransportChannel) throw new ChannelError("BAD_DATA", "a channel of another request");
    else respond(request, result as SendData);
  } catch (error) {
    fail(request, error);
  }
}

/** Text or `{ … }`: asked first because it is nearly always so, and so that Fetch is loaded only where it is used. */
function isLiteral(result: HandlerResult): result is string | SendInit {
  return typeof result === "string" || (result !== null && Object.getPrototypeOf(result) === Object.prototype);
}

function answerResponse(request: ChannelRequest, response: Response): void {
  fromResponse(response).then(
    (data) => {
      try {
        respond(request, data);
      } catch (error) {
        fail(request, error);
      }
    },
    (error) => fail(request, error),
  );
}

/** The channel answers; a second response would be read as the answer to the next request. */
function checkNothingElse(request: ChannelRequest, result: HandlerResult): void {
  if (result === undefined || result === null || result === request.channel) return;
  if (result instanceof Response && isChannelResponse(result)) return;
  const error = new ChannelError("ALREADY_ANSWERED", "a channel is open, so what the handler returned was dropped");
  request.context.report(error, { source: "handler", request });
}

function respond(request: ChannelRequest, data: SendData): void {
  const { exchange, context } = request;
  const sendable = toSendable(data);
  if (sendable.parts === undefined) {
    exchange.respond(PLAIN.head(sendable.message, false), sendable.message.body);
    return;
  }
  // A stream is pulled at the client's pace and watched for failure: a channel does both.
  const channel = new TransportChannel(new HttpTransport(exchange, PLAIN, []), {}, UNLIMITED, context);
  request.opened(channel);
  channel.send(data, true);
  channel.begin(undefined);
}

/** The handler has returned all it has: there is no later send that could overflow. */
const UNLIMITED = {
  maxBufferedBytes: Number.POSITIVE_INFINITY,
  onOverflow: "drop",
  heartbeat: { pingIntervalMs: 0, pongTimeoutMs: 0 },
} as const;

function fail(request: ChannelRequest, error: unknown): void {
  const { exchange, context } = request;
  if (!isClientsFault(error)) context.report(error, { source: "handler", request });
  if (request.channel !== undefined) request.channel.failed(error);
  else if (!exchange.isAnswered) respond(request, failureOf(error));
}
