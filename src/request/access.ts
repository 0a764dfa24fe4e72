// Decides which requests are served and which pages may read the answer: hosts, origins and CORS as one rule. Asked before the
// handler, so that a preflight needs no login and a request for a foreign host reaches no application code.

import { type DebugLog, quoted } from "../base/debug-log.ts";
import { ChannelError } from "../base/errors.ts";
import { show } from "../base/option-values.ts";
import { failureOf } from "../channel/failure.ts";
import { Cors, type CorsOptions } from "./cors.ts";
import { type AllowedHosts, type HostRule, toHostRule } from "./host.ts";
import { type AllowedOrigins, type OriginRule, toOriginRule } from "./origin.ts";
import type { ChannelRequest } from "./request.ts";

export interface AccessOptions {
  readonly allowedOrigins?: AllowedOrigins | undefined;
  readonly allowedHosts?: AllowedHosts | undefined;
  readonly cors?: boolean | CorsOptions | undefined;
}

/** The rules of one server. */
export interface Access {
  readonly origins: OriginRule;
  readonly hosts: HostRule | undefined;
  /** Undefined where no page of another origin may connect, or the application speaks CORS itself. */
  readonly cors: Cors | undefined;
  /** False: the application speaks CORS itself, and nothing of it is said here. */
  readonly speaksCors: boolean;
  /** True where every request has to be looked at before the handler. */
  readonly isChecked: boolean;
}

/** Throws BAD_OPTION for what makes no sense. */
export function toAccess({ allowedOrigins = [], allowedHosts, cors = true }: AccessOptions): Access {
  if (cors === null || (typeof cors !== "boolean" && typeof cors !== "object")) {
    throw new ChannelError("BAD_OPTION", `cors is ${show(cors)}; it must be true, false or an object`);
  }
  const origins = toOriginRule(allowedOrigins);
  const hosts = toHostRule(allowedHosts);
  const rules = cors === false ? undefined : new Cors(cors === true ? {} : cors, allowedOrigins);
  const isForeign = typeof allowedOrigins === "function" || allowedOrigins === "any" || allowedOrigins.length > 0;
  return {
    origins,
    hosts,
    cors: isForeign ? rules : undefined,
    speaksCors: rules !== undefined,
    isChecked: hosts !== undefined || (isForeign && rules !== undefined),
  };
}

/** True if the request is answered already: its host is not ours, or it was a preflight. Never throws. */
export function isAnsweredAtDoor(request: ChannelRequest): boolean {
  const { hosts, cors } = request.context.access;
  if (hosts !== undefined && !hosts(request)) {
    const error = new ChannelError("FORBIDDEN_HOST");
    const { status = 421, body } = failureOf(error);
    request.context.refused(request, status, error.message, error.code);
    const fields = ["Content-Type", "text/plain; charset=utf-8", "X-Content-Type-Options", "nosniff"];
    request.exchange.respond({ status, fields }, String(body));
    return true;
  }
  return cors?.admit(request, isOriginAllowed) ?? false;
}

/** For NODE_DEBUG: a page that gets an answer and may not read it sees an error of its own browser alone. Never throws. */
export function debugPage(request: ChannelRequest, debug: DebugLog): void {
  const origin = request.headers.get("origin");
  if (origin === null || request.isWebSocket || !request.context.access.speaksCors || isOriginAllowed(request)) return;
  const { method, path } = request;
  debug(`page of ${quoted(origin)} may not read the answer to ${method} ${path}: allowedOrigins does not allow it`);
}

/** The fields by which the page that asks may read the answer; undefined where nobody of another origin may. Never throws. */
export function pageFieldsOf(request: ChannelRequest): readonly string[] | undefined {
  return request.context.access.cors?.pageFields(request, isOriginAllowed);
}

/** True for a request without `Origin` (no browser), from a page of its own host, or from an origin that is allowed. */
export function isOriginAllowed(request: ChannelRequest): boolean {
  request.isOriginAllowed ??= askOrigin(request);
  return request.isOriginAllowed;
}

function askOrigin(request: ChannelRequest): boolean {
  const origin = request.headers.get("origin");
  return origin === null || request.context.access.origins(origin, request);
}
