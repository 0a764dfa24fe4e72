// Refusals of a session's requests, and the fields of all answers to them.

import type { ErrorCode } from "../base/errors.ts";
import type { TransportChannel } from "../channel/transport-channel.ts";
import { joinFields, withoutContentFields } from "../codec/field-list.ts";
import { joinedValues } from "../codec/http1-request.ts";
import { hasListMember } from "../codec/http1-syntax.ts";
import { contextOf } from "../request/context.ts";
import { newChannel } from "../request/new-channel.ts";
import type { ChannelRequest } from "../request/request.ts";
import { HttpTransport, PLAIN, TEXT_PLAIN } from "../transport/http/transport.ts";

/** Answers a method that sessions do not use. Preflights were answered before the handler (`cors.ts`). */
export function answerOther(request: ChannelRequest, fields: readonly string[]): TransportChannel {
  const allow = ["Allow", "GET, POST, OPTIONS"];
  if (request.method !== "OPTIONS") return refuse(request, { status: 405, text: "GET or POST", fields: allow });
  return closed(request, { status: 204, fields: joinFields(allow, fields) }, null);
}

interface Refusal {
  readonly status: number;
  /** Body of the answer, without the line's end. */
  readonly text: string;
  readonly fields?: readonly string[];
  /** Counted and logged. */
  readonly code?: ErrorCode;
}

/** Answers the request with an error. */
export function refuse(request: ChannelRequest, { status, text, fields = [], code }: Refusal): TransportChannel {
  contextOf(request).refused(request, status, text, code);
  // A client that asks for a WebSocket may go on sending frames (RFC 6455 §4.2.2 item 4).
  const end = request.isWebSocket ? ["Connection", status === 426 ? "Upgrade, close" : "close"] : [];
  return closed(request, plainHead(status, joinFields(refusalFields(request), [...fields, ...end])), `${text}\n`);
}

/** The application's fields, without those that describe the content of its own answers. */
export function refusalFields({ exchange }: ChannelRequest): readonly string[] {
  return answerFields(withoutContentFields(exchange.refusalFields));
}

/** Answers the request, and returns a channel that is closed. */
function closed(
  request: ChannelRequest,
  head: { readonly status: number; readonly fields: readonly string[] },
  body: string | null,
): TransportChannel {
  const transport = new HttpTransport(request.exchange, PLAIN, []);
  transport.send({ ...head, body, event: undefined, length: undefined }, "last");
  const channel = newChannel(request, {
    ...{ transport, handlers: {}, settings: contextOf(request).channelSettings },
    ...{ codec: undefined, contentType: undefined },
  });
  channel.begin(undefined);
  return channel;
}

export function plainHead(status: number, fields: readonly string[]): { status: number; fields: readonly string[] } {
  return { status, fields: joinFields(TEXT_PLAIN, fields) };
}

/**
 * The fields of every answer; `own` are the application's, checked. An answer contains the token, so no cache may store it,
 * whatever the application's own `Cache-Control` says.
 */
export function answerFields(own: readonly string[]): readonly string[] {
  const caching = joinedValues(own, "cache-control");
  if (caching === undefined) return ["Cache-Control", "no-store", ...own];
  if (hasListMember(caching, "no-store")) return own;
  return joinFields(own, ["Cache-Control", `no-store, ${caching}`]);
}
