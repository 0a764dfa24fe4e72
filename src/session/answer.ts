// Refusals of a session's requests, and the fields of all answers to them.

import { joinFields, withoutContentFields } from "../codec/field-list.ts";
import { joinedValues } from "../codec/field-values.ts";
import { hasListMember } from "../codec/http1-syntax.ts";
import { type Refusal, refuse } from "../request/refusal.ts";
import type { ChannelRequest } from "../request/request.ts";
import { PLAIN } from "../transport/http/format.ts";
import { HttpTransport } from "../transport/http/transport.ts";

/** Answers a method that sessions do not use. Preflights were answered before the handler (`cors.ts`). */
export function answerOther(request: ChannelRequest, fields: readonly string[]): HttpTransport {
  const allow = ["Allow", "GET, POST, OPTIONS"];
  if (request.method !== "OPTIONS")
    return refuseSession(request, { status: 405, message: "GET or POST", fields: allow });
  const transport = new HttpTransport(request.exchange, PLAIN, joinFields(allow, fields));
  transport.close(1000, "");
  return transport;
}

/** Answers the request with an error. */
export function refuseSession(request: ChannelRequest, refusal: Refusal): HttpTransport {
  return refuse(request, refusal, refusalFields(request));
}

/** The application's fields, without those that describe the content of its own answers. */
export function refusalFields({ exchange }: ChannelRequest): readonly string[] {
  return answerFields(withoutContentFields(exchange.refusalFields));
}

/**
 * The fields of every answer; `own` are the application's, checked. An answer contains the token, so no cache may store it,
 * even if the application has a `Cache-Control` of its own.
 */
export function answerFields(own: readonly string[]): readonly string[] {
  const caching = joinedValues(own, "cache-control");
  if (caching === undefined) return ["Cache-Control", "no-store", ...own];
  if (hasListMember(caching, "no-store")) return own;
  return joinFields(own, ["Cache-Control", `no-store, ${caching}`]);
}
