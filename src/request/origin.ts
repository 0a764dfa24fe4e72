// The pages that may connect to a server: RFC 6455 §10.2, RFC 6454. Browsers apply no same-origin policy to WebSockets and send
// cookies along, so that without this check any page could act for its visitor.

import { ChannelError } from "../base/errors.ts";
import { isYes } from "../base/guard.ts";
import { show } from "../base/option-values.ts";
import type { ChannelRequest } from "./request.ts";

/**
 * `"any"`, a list of origins (`https://app.example`, or patterns, which must match the whole origin), or a function, which
 * must answer at once: only `true` allows. A list allows these origins beside the request's own host; a function decides alone.
 */
export type AllowedOrigins =
  | "any"
  | readonly (string | RegExp)[]
  | ((origin: string, request: ChannelRequest) => boolean);

/** Tells whether a page of this origin may connect. Never throws. */
export type OriginRule = (origin: string, request: ChannelRequest) => boolean;

/** Receives the errors of a function of the application. */
export type OriginReporter = (error: unknown, request: ChannelRequest) => void;

/** A longer origin is not matched with patterns: a host name has at most 253 characters (RFC 1035 §2.3.4). */
const MAX_ORIGIN_CHARS = 512;

/** Makes the rule of an option. Throws BAD_OPTION, with the correct form, for an origin that browsers never send. */
export function toOriginRule(option: AllowedOrigins, report: OriginReporter): OriginRule {
  if (option === "any") return () => true;
  if (typeof option === "function") return fromFunction(option, report);
  if (!Array.isArray(option)) {
    throw bad(
      `is neither "any", a list of origins nor a function: ${typeof option === "string" ? `write [${show(option)}]` : `it is ${show(option)}`}`,
    );
  }
  const origins = new Set<string>();
  const patterns: RegExp[] = [];
  for (const entry of option as readonly unknown[]) {
    if (entry instanceof RegExp) patterns.push(wholePattern(entry));
    else if (typeof entry === "string") origins.add(toOrigin(entry));
    else throw bad(`has ${show(entry)}, which is neither a string nor a RegExp`);
  }
  return (origin, request) => {
    if (isSameHost(origin, request) || origins.has(origin.toLowerCase())) return true;
    // "null" is the origin of every sandboxed frame, of any page: it is allowed by its name, never by a pattern.
    if (origin === "null" || origin.length > MAX_ORIGIN_CHARS) return false;
    return patterns.some((pattern) => pattern.test(origin));
  };
}

/** A pattern for whole texts, without state: with `g` or `y` the next test would begin where the last one ended. */
export function wholePattern({ source, flags }: RegExp): RegExp {
  return new RegExp(`^(?:${source})$`, flags.replace(/[gy]/g, ""));
}

function fromFunction(
  allows: (origin: string, request: ChannelRequest) => boolean,
  report: OriginReporter,
): OriginRule {
  return (origin, request) =>
    isYes(
      "allowedOrigins",
      () => allows(origin, request),
      (error) => report(error, request),
    );
}

/**
 * True for a page of the host that the request asks for. If the request came over https, a page of http is another origin:
 * anybody on the network could have changed it. If it came over http, a proxy may have ended TLS, so the scheme of the page is
 * not compared.
 */
export function isSameHost(origin: string, request: ChannelRequest): boolean {
  const [scheme, authority] = origin.toLowerCase().split("://");
  if (authority === undefined || (scheme !== "https" && (scheme !== "http" || request.scheme === "https")))
    return false;
  // RFC 6454 §6.2: an origin leaves its scheme's default port out; Host may name it.
  const defaultPort = scheme === "https" ? ":443" : ":80";
  const name = request.host.toLowerCase();
  return authority === (name.endsWith(defaultPort) ? name.slice(0, -defaultPort.length) : name);
}

/** Returns the origin in the form that browsers send (RFC 6454 §6.2): lower case, no default port, names in ASCII. */
function toOrigin(entry: string): string {
  if (entry === "null") return entry;
  if (entry === "*") throw bad('has "*": write allowedOrigins: "any"');
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(entry) ?? [];
  if (scheme === undefined || rest === undefined) {
    throw bad(`has ${JSON.stringify(entry)}, which has no scheme: write "https://app.example", for example`);
  }
  if (rest.includes("*")) {
    throw bad(`has ${JSON.stringify(entry)}: write a pattern, such as /https:\\/\\/[a-z0-9-]+\\.app\\.example/`);
  }
  const [, authority = ""] = /^([^/?#\s]*)/.exec(rest) ?? [];
  const page = scheme.toLowerCase().replace(/^ws/, "http");
  const isWeb = page === "http" || page === "https";
  const origin = isWeb ? webOrigin(`${page}://${authority}`) : `${page}://${authority}`.toLowerCase();
  if (origin === undefined) throw bad(`has ${JSON.stringify(entry)}, which is not an origin`);
  if (rest !== authority || page !== scheme.toLowerCase()) {
    throw bad(`has ${JSON.stringify(entry)}, which no browser sends as an origin: write ${JSON.stringify(origin)}`);
  }
  return origin;
}

function webOrigin(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { origin, username, password } = new URL(text);
  return username === "" && password === "" ? origin : undefined;
}

function bad(text: string): ChannelError {
  return new ChannelError("BAD_OPTION", `allowedOrigins ${text}`);
}
