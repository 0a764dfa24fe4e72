// What a session's requests are answered with where it is no carrier: refusals, preflights, and the fields of all answers.

import { HttpTransport, PLAIN } from "../transport/http.ts";
import type { ChannelRequest } from "./request.ts";
import { TransportChannel } from "./transport-channel.ts";

/** A browser's preflight (WHATWG Fetch §3.2.2), or a method that means nothing here. */
export function answerOther(request: ChannelRequest, fields: readonly string[]): TransportChannel {
  if (request.method !== "OPTIONS") return refuse(request, 405, "GET or POST", ["Allow", "GET, POST, OPTIONS"]);
  const asked = request.headers.get("access-control-request-headers");
  const allow = [
    "Allow",
    "GET, POST, OPTIONS",
    "Access-Control-Allow-Methods",
    "GET, POST",
    "Access-Control-Max-Age",
    "600",
  ];
  if (asked !== null) allow.push("Access-Control-Allow-Headers", asked);
  return closed(request, { status: 204, fields: [...allow, ...fields] }, null);
}

/** The request is answered with an error. */
export function refuse(
  request: ChannelRequest,
  status: number,
  text: string,
  fields: readonly string[] = [],
): TransportChannel {
  // Whoever asks for a WebSocket may go on sending frames (RFC 6455 §4.2.2 item 4).
  const end = request.isWebSocket ? ["Connection", status === 426 ? "Upgrade, close" : "close"] : [];
  return closed(
    request,
    plainHead(status, ["Cache-Control", "no-store", ...(status === 403 ? [] : corsFields(request)), ...fields, ...end]),
    `${text}\n`,
  );
}

/** The request is answered, and its channel is over. */
function closed(
  request: ChannelRequest,
  head: { readonly status: number; readonly fields: readonly string[] },
  body: string | null,
): TransportChannel {
  const transport = new HttpTransport(request.exchange, PLAIN, []);
  transport.send({ ...head, body, event: undefined, length: undefined }, true);
  const channel = new TransportChannel(transport, {}, request.context.channelSettings, request);
  channel.begin(undefined);
  return channel;
}

export function plainHead(status: number, fields: readonly string[]): { status: number; fields: readonly string[] } {
  return {
    status,
    fields: ["Content-Type", "text/plain; charset=utf-8", "X-Content-Type-Options", "nosniff", ...fields],
  };
}

/** Of every answer that a page may read. The token is in it, so nobody keeps it. `own`: the application's, checked. */
export function answerFields(request: ChannelRequest, own: readonly string[]): readonly string[] {
  return ["Cache-Control", "no-store", ...corsFields(request), ...own];
}

/** A page of another origin that may connect may also read what it gets (WHATWG Fetch §3.2.3). */
function corsFields({ headers, context }: ChannelRequest): readonly string[] {
  const origin = headers.get("origin");
  if (origin === null) return [];
  const fields = ["Access-Control-Allow-Origin", origin, "Vary", "Origin"];
  // Whoever lets all pages in has not said that each may act for its visitor.
  return context.allowedOrigins === "any" ? fields : [...fields, "Access-Control-Allow-Credentials", "true"];
}
