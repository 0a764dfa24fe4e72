// Which peers are proxies of ours, and who the client behind them is.

import { BlockList, isIP } from "node:net";
import { ChannelError } from "../base/errors.ts";
import { isYes } from "../base/guard.ts";
import { show } from "../base/option-values.ts";
import { type ForwardedField, forwardedHops } from "../codec/forwarded.ts";
import type { Client } from "../request/client.ts";

/**
 * IP addresses, ranges (`10.0.0.0/8`) and the words `"loopback"`, `"private"` (RFC 1918, RFC 4193) and `"unix"` (whoever
 * connects to our Unix socket); or a function, which is asked for each address and never for a Unix socket.
 */
export type TrustedProxies = readonly string[] | ((address: string) => boolean);

/**
 * The header fields in which proxies speak. `Forwarded` and the others cannot be mixed: a proxy writes one kind, and the
 * client would write the other.
 */
export type ProxyHeader = "Forwarded" | "X-Forwarded-For" | "X-Forwarded-Proto" | "X-Forwarded-Host";

/** What nearly all proxies write. */
const X_FORWARDED: readonly ForwardedField[] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];

/** The addresses whose answer is remembered: proxies are few, and clients come again. */
const MAX_REMEMBERED = 1024;

/** Whether an address is a trusted proxy's. Never throws; `undefined` is a peer on a Unix socket. */
export type Trust = (address: string | undefined) => boolean;

/** Who is believed, and where. */
export interface ProxyRules {
  readonly trusts: Trust;
  readonly believed: readonly ForwardedField[];
}

const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["loopback", ["127.0.0.0/8", "::1"]],
  ["private", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"]],
  ["unix", []],
]);

/**
 * Undefined where nobody is trusted. `isUnix`: the server listens on a Unix socket; on another a peer without an address
 * is one that has left. Throws BAD_OPTION for what is no address, range or word.
 */
export function toTrust(
  option: TrustedProxies | undefined,
  isUnix: () => boolean,
  onError: (error: unknown) => void,
): Trust | undefined {
  if (option === undefined) return undefined;
  if (typeof option === "function") return fromFunction(option, onError);
  if (!Array.isArray(option)) throw new ChannelError("BAD_OPTION", "trustedProxies is neither a list nor a function");
  if (option.length === 0) return undefined;
  const ranges = new BlockList();
  for (const entry of option) for (const range of WORDS.get(entry) ?? [entry]) addRange(ranges, range);
  const trustsUnix = option.includes("unix");
  // BlockList takes 3 µs for an address, a third of a small request; the map takes 20 ns.
  const known = new Map<string, boolean>();
  return (address) => {
    if (address === undefined) return trustsUnix && isUnix();
    let isTrusted = known.get(address);
    if (isTrusted === undefined) {
      if (known.size === MAX_REMEMBERED) known.clear();
      isTrusted = isInside(ranges, address);
      known.set(address, isTrusted);
    }
    return isTrusted;
  };
}

/** Throws BAD_OPTION for what is no list of such fields, or has both kinds. */
export function toBelieved(option: readonly ProxyHeader[] | undefined): readonly ForwardedField[] {
  if (option === undefined) return X_FORWARDED;
  const names = Array.isArray(option)
    ? option.map((name) => (typeof name === "string" ? name.toLowerCase() : ""))
    : undefined;
  const isForwarded = names?.length === 1 && names[0] === "forwarded";
  if (
    names === undefined ||
    !(isForwarded || names.every((name) => (X_FORWARDED as readonly string[]).includes(name)))
  ) {
    throw new ChannelError(
      "BAD_OPTION",
      "proxyHeaders is a list of X-Forwarded-For, -Proto and -Host, or of Forwarded alone",
    );
  }
  return names as ForwardedField[];
}

function fromFunction(trusts: (address: string) => boolean, onError: (error: unknown) => void): Trust {
  return (address) => {
    if (address === undefined) return false;
    return isYes("trustedProxies", () => trusts(address), onError);
  };
}

function addRange(ranges: BlockList, text: unknown): void {
  const [, address = "", prefix] = (typeof text === "string" && /^([^/]*)(?:\/([0-9]{1,3}))?$/.exec(text)) || [];
  const version = isIP(address);
  const bits = version === 4 ? 32 : 128;
  if (version === 0 || Number(prefix ?? bits) > bits) {
    throw new ChannelError("BAD_OPTION", `trustedProxies has ${show(text)}, which is no IP address, range or word`);
  }
  ranges.addSubnet(address, Number(prefix ?? bits), version === 4 ? "ipv4" : "ipv6");
}

function isInside(ranges: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && ranges.check(address, version === 4 ? "ipv4" : "ipv6");
}

/**
 * The client of a request: `own` is what the connection itself shows. Only if that is a trusted proxy is anything
 * believed: it has written the last hop, about whom it was asked by; if that is a trusted proxy too, it has written the
 * hop before; and so on, until the first that is not trusted: the client.
 *
 * Scheme and host are those that the proxy nearest to the client gives, because it is the one that the client asked;
 * what it does not say is taken from the next nearer hop that does. All of them were written by trusted proxies.
 */
export function findClient(own: Client, fields: readonly string[], { trusts, believed }: ProxyRules): Client {
  if (!trusts(own.address)) return own;
  let { address, scheme, host } = own;
  for (const hop of forwardedHops(fields, believed)) {
    scheme = hop.scheme ?? scheme;
    host = hop.host ?? host;
    // The proxy does not say whom it got the request from: nothing is known beyond it.
    if (hop.address === undefined) break;
    address = hop.address ?? undefined;
    if (address === undefined || !trusts(address)) break;
  }
  return { address, scheme, host };
}
