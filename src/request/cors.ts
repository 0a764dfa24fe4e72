// The fields that let pages of other origins read answers: CORS, WHATWG Fetch §3.2. Pages that may connect (`allowedOrigins`)
// may read every answer: of channels, polls and sessions, responses of handlers, and refusals.

import { badOption, badValue } from "../base/bad-option.ts";
import type { ChannelError } from "../base/errors.ts";
import { checkOptionNames } from "../base/option-names.ts";
import { fieldValue } from "../codec/field-values.ts";
import { isToken } from "../codec/http1-syntax.ts";
import type { AllowedOrigins } from "./origin.ts";
import type { ChannelRequest } from "./request.ts";

/** Permissions of pages of other origins, beyond reading the answers to GET and POST. */
export interface CorsOptions {
  /** Methods beside GET, HEAD and POST whose preflights are answered; those of others reach the handler. @default [] */
  readonly allowMethods?: readonly string[] | undefined;
  /** Request headers that a page may set. @default those that its preflight asks for */
  readonly allowHeaders?: readonly string[] | undefined;
  /** Response headers that a page may read, beside `Retry-After` and those that it always may. @default [] */
  readonly exposeHeaders?: readonly string[] | undefined;
  /** True: a page may send its visitor's cookies, and read the answer. @default true; false with `allowedOrigins: "any"` */
  readonly credentials?: boolean | undefined;
  /** How long a browser may remember a preflight's answer, in milliseconds. @default 600_000 */
  readonly maxAgeMs?: number | undefined;
}

const NAMES = ["allowMethods", "allowHeaders", "exposeHeaders", "credentials", "maxAgeMs"];

/** Methods that need no permission of their own: WHATWG Fetch §2.2.1, CORS-safelisted methods. */
const SAFE_METHODS = ["GET", "HEAD", "POST"];

/** The field by which caches keep answers to different origins apart. It is on every answer that depends on the origin. */
export const VARIES: readonly string[] = ["Vary", "Origin"];

/** The rules of one server. */
export class Cors {
  readonly #methods: readonly string[];
  /** True if `allowedOrigins` names the pages that may connect. */
  readonly #isNamed: boolean;
  readonly #credentials: boolean;
  readonly #expose: string;
  readonly #preflight: readonly string[];
  readonly #allowHeaders: string | undefined;

  /** Throws BAD_OPTION. */
  constructor(options: CorsOptions, allowedOrigins: AllowedOrigins) {
    checkOptionNames("cors", options, NAMES);
    const { allowMethods = [], allowHeaders, exposeHeaders = [], maxAgeMs = 600_000 } = options;
    const { credentials = allowedOrigins !== "any" } = options;
    if (typeof credentials !== "boolean") throw bad("credentials", credentials, "true or false");
    if (credentials && allowedOrigins === "any") {
      throw badOption(
        'cors.credentials with allowedOrigins: "any" would let every page act for its visitor; name the origins',
      );
    }
    if (typeof maxAgeMs !== "number" || !(maxAgeMs >= 0)) throw bad("maxAgeMs", maxAgeMs, "a number, 0 or more");
    this.#isNamed = allowedOrigins !== "any";
    this.#credentials = credentials;
    this.#methods = [...SAFE_METHODS, ...tokens("allowMethods", allowMethods)];
    this.#expose = ["Retry-After", ...tokens("exposeHeaders", exposeHeaders)].join(", ");
    this.#allowHeaders = allowHeaders === undefined ? undefined : tokens("allowHeaders", allowHeaders).join(", ");
    this.#preflight = [
      "Access-Control-Allow-Methods",
      this.#methods.filter((method) => method !== "HEAD").join(", "),
      "Access-Control-Max-Age",
      String(Math.floor(Math.min(maxAgeMs, 86_400_000) / 1000)),
    ];
  }

  /** Sets the CORS fields of the answer to a request. Returns true for a preflight, which it answers (WHATWG Fetch §3.2.2). */
  admit(request: ChannelRequest, isAllowed: (request: ChannelRequest) => boolean): boolean {
    const { exchange } = request;
    const { fields, method } = exchange.head;
    exchange.corsFields = this.corsFields(request, isAllowed);
    if (exchange.corsFields === VARIES) return false;
    const asked = method === "OPTIONS" ? fieldValue(fields, "access-control-request-method") : undefined;
    if (asked === undefined || !this.#methods.includes(asked)) return false;
    const headers = this.#allowHeaders ?? request.headers.get("access-control-request-headers") ?? "";
    const allowed = headers === "" ? [] : ["Access-Control-Allow-Headers", headers];
    // An origin that was named may use this server, also where it is in a private network.
    if (this.#isNamed && fieldValue(fields, "access-control-request-private-network") === "true") {
      allowed.push("Access-Control-Allow-Private-Network", "true");
    }
    exchange.respond({ status: 204, fields: [...this.#preflight, ...allowed] }, null);
    return true;
  }

  /** The fields of the answers to a request. */
  corsFields(request: ChannelRequest, isAllowed: (request: ChannelRequest) => boolean): readonly string[] {
    const origin = fieldValue(request.exchange.head.fields, "origin");
    // A page never reads the answer to its WebSocket's handshake.
    if (origin === undefined || request.isWebSocket || !isAllowed(request)) return VARIES;
    const fields = ["Access-Control-Allow-Origin", origin, ...VARIES, "Access-Control-Expose-Headers", this.#expose];
    // "null" is the origin of every sandboxed frame: no visitor has trusted all of them.
    if (this.#credentials && origin !== "null") fields.push("Access-Control-Allow-Credentials", "true");
    return fields;
  }
}

function tokens(name: string, list: readonly string[]): readonly string[] {
  if (!Array.isArray(list) || !list.every((one) => typeof one === "string" && isToken(one))) {
    throw bad(name, list, "a list of tokens (RFC 9110 §5.6.2)");
  }
  return list;
}

function bad(name: string, value: unknown, allowed: string): ChannelError {
  return badValue(`cors.${name}`, value, allowed);
}
