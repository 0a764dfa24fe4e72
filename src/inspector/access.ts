// Decides who may see the inspector. It shows who is connected and what groups are told, so every request is checked: the page, its
// files, each carrier of its session, each action.

import { badOption } from "../base/option-values.ts";
import { isSameHost } from "../request/origin.ts";
import type { ChannelRequest } from "../request/request.ts";
import { isLoopbackAddress } from "../server/address.ts";
import type { ExchangeServer } from "../server/exchange-server.ts";

/** The purpose of a request: to see the page and its numbers, to close a channel, to publish a message. */
export type InspectorAction = "view" | "close" | "publish";

/**
 * The option `authorize`. Only `true` allows; a `Response` is the answer, such as a 401 that asks for a password or a redirect to a
 * login; anything else is a 403.
 */
export type InspectorAuthorize = (
  request: ChannelRequest,
  action: InspectorAction,
) => boolean | Response | PromiseLike<boolean | Response>;

/** Fields that proxies and tunnels add. One of them means that the connection's other end is not the client. */
const OF_PROXY =
  /^(?:forwarded|via|cdn-loop|(?:x-)?(?:forwarded|original|envoy|appengine|amzn)-.*|x-real-ip|.*client-ip|.*connecting-ip)$/;

/** Throws BAD_OPTION without `authorize`, unless only this machine can reach the server. */
export function checkProtected(server: ExchangeServer, authorize: InspectorAuthorize | undefined): void {
  if (authorize !== undefined) return;
  const hint = "give inspector the option authorize, which says who may look";
  if (process.env["NODE_ENV"] === "production") throw badOption(`NODE_ENV is production: ${hint}`);
  if (server.proxies !== undefined)
    throw badOption(`the server has trusted proxies, behind which everybody may be: ${hint}`);
  if (!server.isLoopbackOnly) {
    throw badOption(`the server does not listen on a loopback address alone, such as host: "127.0.0.1": ${hint}`);
  }
}

/** Returns the answer to a request that is not allowed; undefined if it is. Rejects with what `authorize` throws. */
export async function refusalOf(
  request: ChannelRequest,
  action: InspectorAction,
  authorize: InspectorAuthorize | undefined,
): Promise<Response | undefined> {
  if (authorize === undefined) {
    const reason = notLocal(request);
    return reason === undefined ? undefined : refusal(403, `${reason}: inspector needs its option authorize here`);
  }
  const answer: unknown = await authorize(request, action);
  if (answer === true) return undefined;
  return answer instanceof Response ? answer : refusal(403, "you may not look at this inspector");
}

/**
 * True for a request of a page of another origin, which has the visitor's cookies. Stricter than `allowedOrigins`: pages that may
 * use the application must not read who else does. A link on another page may lead to the inspector. The browser's own word that
 * it is the same origin counts first: behind a proxy that does not pass on `Host` no page has the origin of the host.
 */
export function isForeignPage(request: ChannelRequest): boolean {
  const { headers } = request;
  const site = headers.get("sec-fetch-site") ?? "";
  if (site === "same-origin") return false;
  const origin = headers.get("origin");
  if (origin !== null) return !isSameHost(origin, request);
  const isNavigation = headers.get("sec-fetch-mode") === "navigate";
  return !isNavigation && /^(?:cross|same)-site$/.test(site);
}

export function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: { "Content-Type": "text/plain; charset=utf-8" } });
}

/**
 * Says why a request may not be of this machine; undefined for one that is. The host is checked because a page can let its own name
 * point to 127.0.0.1 (DNS rebinding).
 */
function notLocal(request: ChannelRequest): string | undefined {
  const { remoteAddress, host, headers } = request;
  if (remoteAddress === undefined || !isLoopbackAddress(remoteAddress)) return "the client is not on this machine";
  const name = host.replace(/:\d*$/, "").toLowerCase();
  if (name !== "localhost" && !isLoopbackAddress(name.replace(/^\[|\]$/g, ""))) return "the host is not localhost";
  if ([...headers.keys()].some((field) => OF_PROXY.test(field))) return "a proxy is in front";
  return undefined;
}
