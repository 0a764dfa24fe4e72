// Which pages may open a WebSocket here: RFC 6455 §10.2. Browsers apply no same-origin policy to WebSockets and send
// cookies along, so that without this check any page could act for its visitor.

import type { ChannelRequest } from "./request.ts";

/**
 * `"any"`, a list of origins (`https://app.example`, or patterns for the whole origin), or a function.
 * A list adds to the request's own host, a function decides alone.
 */
export type AllowedOrigins =
  | "any"
  | readonly (string | RegExp)[]
  | ((origin: string, request: ChannelRequest) => boolean);

/** True for a request without `Origin` (no browser), from a page of its own host, or from an origin that is allowed. */
export function isOriginAllowed(request: ChannelRequest, allowed: AllowedOrigins): boolean {
  const origin = request.headers.get("origin");
  if (origin === null || allowed === "any") return true;
  if (typeof allowed === "function") return allowed(origin, request);
  if (isSameHost(origin, request.host)) return true;
  return allowed.some((one) =>
    typeof one === "string" ? one.toLowerCase() === origin.toLowerCase() : one.test(origin),
  );
}

/** Schemes are not compared: behind a proxy that ends TLS the page's is https and ours http. */
function isSameHost(origin: string, host: string): boolean {
  const [scheme, authority] = origin.toLowerCase().split("://");
  if (authority === undefined) return false;
  // RFC 6454 §6.2: an origin leaves its scheme's default port out; Host may name it.
  const defaultPort = scheme === "https" ? ":443" : ":80";
  const name = host.toLowerCase();
  return authority === (name.endsWith(defaultPort) ? name.slice(0, -defaultPort.length) : name);
}
