// Decides which requests are served and which pages may read the answer: hosts, origins and CORS as one rule. It runs before
// the handler, so that a preflight needs no login and a request for a foreign host reaches no application code.

import { type DebugLog, quoted } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import { failureOf } from "../channel/failure.ts";
import { fieldValue } from "../codec/field-values.ts";
import { TEXT_PLAIN } from "../transport/http/format.ts";
import { contextOf } from "./context.ts";
import { VARIES } from "./cors.ts";
import type { ChannelRequest } from "./request.ts";

/** Answers requests for a foreign host, and preflights; returns true if it did. Never throws. */
export function answerBeforeHandler(request: ChannelRequest): boolean {
  const { hosts, cors } = contextOf(request).access;
  if (hosts !== undefined && !hosts(request)) {
    const error = new ChannelError("FORBIDDEN_HOST");
    const { status = 421, body } = failureOf(error);
    contextOf(request).refused(request, status, error.message, error.code);
    request.exchange.respond({ status, fields: TEXT_PLAIN }, String(body));
    return true;
  }
  return cors?.admit(request, isOriginAllowed) ?? false;
}

/** Prints a line for NODE_DEBUG when a page may not read its answer: otherwise only its own browser reports that. Never throws. */
export function logUnreadableAnswer(request: ChannelRequest, debug: DebugLog): void {
  const origin = request.headers.get("origin");
  if (origin === null || request.isWebSocket || !contextOf(request).access.handlesCors || isOriginAllowed(request))
    return;
  const { method, path } = request;
  debug(`page of ${quoted(origin)} may not read the answer to ${method} ${path}: allowedOrigins does not allow it`);
}

/** The CORS fields that let the requesting page read the answer; undefined if no other origin is allowed. Never throws. */
export function corsFieldsOf(request: ChannelRequest): readonly string[] | undefined {
  return contextOf(request).access.cors?.corsFields(request, isOriginAllowed);
}

/**
 * Lets a refused page read the refusal, so that its client stops asking. The refusal has no other information, and browsers hide it
 * from requests with cookies: see decision 26.
 */
export function letPageReadRefusal(request: ChannelRequest): void {
  const { exchange } = request;
  const origin = fieldValue(exchange.head.fields, "origin");
  // Only the browser itself reads the answer to a preflight.
  if (origin !== undefined && contextOf(request).access.handlesCors && exchange.head.method !== "OPTIONS")
    exchange.corsFields = ["Access-Control-Allow-Origin", origin, ...VARIES];
}

/** True for a request without `Origin` (no browser), from a page of its own host, or from an origin that is allowed. */
export function isOriginAllowed(request: ChannelRequest): boolean {
  request.isOriginAllowed ??= askOrigin(request);
  return request.isOriginAllowed;
}

function askOrigin(request: ChannelRequest): boolean {
  const origin = request.headers.get("origin");
  return origin === null || contextOf(request).access.origins(origin, request);
}
