// Decides which peers are trusted proxies, and finds the client behind them.

import { BlockList, isIP } from "node:net";
import { isYes } from "../base/guard.ts";
import { badOption, badValue, show } from "../base/option-values.ts";
import { type ForwardedField, forwardedHops } from "../codec/forwarded.ts";
import type { Client } from "../request/client.ts";

/**
 * IP addresses, ranges (`10.0.0.0/8`) and the words `"loopback"`, `"private"` (RFC 1918, RFC 4193) and `"unix"` (every client
 * of the server's Unix socket); or a function, which is called with each address and never for a Unix socket.
 */
export type TrustedProxies = readonly string[] | ((address: string) => boolean);

/**
 * The header fields that proxies write. `Forwarded` and the others cannot be mixed: a proxy writes one kind, and a client
 * could write the other.
 */
export type ProxyHeader = "Forwarded" | "X-Forwarded-For" | "X-Forwarded-Proto" | "X-Forwarded-Host";

/** The fields that nearly all proxies write. */
const X_FORWARDED: readonly ForwardedField[] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];

/** Number of addresses whose answer is cached: proxies are few, and clients come again. */
const MAX_REMEMBERED = 1024;

/** Tells whether an address is that of a trusted proxy. Never throws; `undefined` is a peer on a Unix socket. */
export type ProxyMatcher = (address: string | undefined) => boolean;

interface ProxyOptions {
  readonly trustedProxies?: TrustedProxies | undefined;
  readonly proxyHeaders?: readonly ProxyHeader[] | undefined;
}

/** The proxies that are trusted, and the header fields in which they are. */
export interface ProxyRules {
  readonly isProxy: ProxyMatcher;
  readonly trustedHeaders: readonly ForwardedField[];
}

const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["loopback", ["127.0.0.0/8", "::1"]],
  ["private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
  ["unix", []],
]);

/** Undefined if no proxy is trusted. `isUnix` as for `toProxyMatcher`. Throws BAD_OPTION. */
export function toProxyRules(
  { trustedProxies, proxyHeaders }: ProxyOptions,
  isUnix: () => boolean,
  onError: (error: unknown) => void,
): ProxyRules | undefined {
  const trustedHeaders = toTrustedHeaders(proxyHeaders);
  const isProxy = toProxyMatcher(trustedProxies, isUnix, onError);
  return isProxy === undefined ? undefined : { isProxy, trustedHeaders };
}

/**
 * Makes the matcher of `trustedProxies`; undefined if no proxy is trusted. `isUnix` tells whether clients come through a Unix
 * socket; elsewhere a peer without an address is one that has left. Throws BAD_OPTION for an entry that is not an
 * address, a range or a word.
 */
export function toProxyMatcher(
  option: TrustedProxies | undefined,
  isUnix: () => boolean,
  onError: (error: unknown) => void,
): ProxyMatcher | undefined {
  if (option === undefined) return undefined;
  if (typeof option === "function") {
    return (address) => address !== undefined && isYes("trustedProxies", () => option(address), onError);
  }
  if (!Array.isArray(option)) {
    throw badValue("trustedProxies", option, 'a list of addresses, such as ["loopback"], or a function');
  }
  if (option.length === 0) return undefined;
  const ranges = new BlockList();
  for (const entry of option) for (const range of WORDS.get(entry) ?? [entry]) addRange(ranges, range);
  const trustsUnix = option.includes("unix");
  // BlockList takes 3 µs for an address, a third of a small request; the cache takes 20 ns.
  const cache = new Map<string, boolean>();
  return (address) => {
    if (address === undefined) return trustsUnix && isUnix();
    const known = cache.get(address);
    if (known !== undefined) return known;
    if (cache.size === MAX_REMEMBERED) cache.clear();
    const isTrusted = isInside(ranges, address);
    cache.set(address, isTrusted);
    return isTrusted;
  };
}

/** Takes `proxyHeaders` apart. Throws BAD_OPTION if it is not a list of such fields, or has both kinds. */
export function toTrustedHeaders(option: readonly ProxyHeader[] | undefined): readonly ForwardedField[] {
  if (option === undefined) return X_FORWARDED;
  const names = Array.isArray(option)
    ? option.map((name) => (typeof name === "string" ? name.toLowerCase() : ""))
    : [""];
  const isForwarded = names.length === 1 && names[0] === "forwarded";
  if (isForwarded || names.every((name) => (X_FORWARDED as readonly string[]).includes(name))) {
    return names as ForwardedField[];
  }
  throw badOption("proxyHeaders is a list of X-Forwarded-For, -Proto and -Host, or of Forwarded alone");
}

function addRange(ranges: BlockList, text: unknown): void {
  const [, address = "", prefix] = (typeof text === "string" && /^([^/]*)(?:\/([0-9]{1,3}))?$/.exec(text)) || [];
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  if (version === 0 || Number(prefix ?? bits) > bits) {
    throw badOption(`trustedProxies has ${show(text)}, which is no IP address, range or word`);
  }
  ranges.addSubnet(address, Number(prefix ?? bits), version === 4 ? "ipv4" : "ipv6");
}

function isInside(ranges: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && ranges.check(address, version === 4 ? "ipv4" : "ipv6");
}

/**
 * Finds the client of a request. `own`: the client as the connection itself shows it.
 *
 * Header fields are read only if the connection comes from a trusted proxy. That proxy wrote the last hop, with the address
 * of its own peer; if that peer is a trusted proxy too, it wrote the hop before; and so on. The first address that is not
 * a trusted proxy's is the client's.
 *
 * Scheme and host come from the proxy nearest to the client, which is the one that the client asked, or else from the next
 * hop that has them. Trusted proxies wrote all of these hops.
 */
export function findClient(own: Client, fields: readonly string[], { isProxy, trustedHeaders }: ProxyRules): Client {
  if (!isProxy(own.address)) return own;
  let { address, scheme, host } = own;
  for (const hop of forwardedHops(fields, trustedHeaders)) {
    scheme = hop.scheme ?? scheme;
    host = hop.host ?? host;
    // The proxy does not name its peer, so the hops beyond it are unknown.
    if (hop.address === undefined) break;
    address = hop.address ?? undefined;
    if (address === undefined || !isProxy(address)) break;
  }
  return { address, scheme, host };
}
