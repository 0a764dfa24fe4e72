// Decodes the fields in which proxies describe the requests that they forward: `Forwarded` (RFC 7239) and the older
// X-Forwarded-For, -Proto and -Host. Callers decide which of them are trusted.
//
// Each proxy adds its element at the end, so lists are read from the end: the element of the nearest proxy is read before
// those from further away, which cannot change how it is read. A client that sends `for="` would otherwise open a quoted-string
// that swallows all that proxies add to it.

import { fieldValues } from "./field-values.ts";
import { CLASS, isAuthority, listOf, TOKEN } from "./http1-syntax.ts";
import { isIpv4, toAddress } from "./ip-address.ts";

/** The element of one proxy: the client of its request, and the scheme and host that were requested. */
export interface Hop {
  /** An IP address; null if the proxy hides or does not know it; undefined if it is missing or malformed. */
  readonly address: string | null | undefined;
  readonly scheme: "http" | "https" | undefined;
  /** An authority: a host, and a port where it is not the scheme's. */
  readonly host: string | undefined;
}

export type ForwardedField = "forwarded" | "x-forwarded-for" | "x-forwarded-proto" | "x-forwarded-host";

/** `wss`: some proxies (Traefik) name the scheme of the WebSocket's URL. */
const SCHEMES: ReadonlyMap<string, "http" | "https"> = new Map([
  ["http", "http"],
  ["https", "https"],
  ["ws", "http"],
  ["wss", "https"],
]);

/** RFC 7239 §6: node = nodename [ ":" node-port ], with the IPv6 address or else the rest of the name. */
const NODE = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?$/;
/** RFC 7239 §6.3: obfnode. */
const OBFUSCATED = /^_[A-Za-z0-9._-]+$/;
/** RFC 9110 §5.6.4: the inside of a quoted-string: qdtext and quoted-pairs. */
const QUOTED = /^(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*$/;

/**
 * The hops of a request, nearest first, by the fields that are believed: `forwarded`, or any of the others. A malformed
 * `Forwarded` element ends the list.
 */
export function forwardedHops(fields: readonly string[], believed: readonly ForwardedField[]): Hop[] {
  if (believed.includes("forwarded")) return readForwarded(fieldValues(fields, "forwarded"));
  return readXForwarded(fields, believed);
}

/** RFC 7239 §4: 1#forwarded-element. */
function readForwarded(lines: readonly string[]): Hop[] {
  const hops: Hop[] = [];
  for (let index = lines.length - 1; index >= 0; index--) {
    const reader = new BackwardReader(lines[index]!);
    while (!reader.isAtStart) {
      const hop = readElement(reader);
      if (hop === undefined) return hops;
      hops.push(hop);
    }
  }
  return hops;
}

/** RFC 7239 §4: [ forwarded-pair ] *( ";" [ forwarded-pair ] ), without white space; undefined when malformed. */
function readElement(reader: BackwardReader): Hop | undefined {
  const values = new Map<string, string>();
  while (!reader.isAtElementEnd) {
    if (reader.skip(";")) continue;
    const pair = reader.readPair();
    // §4: a parameter must not occur twice.
    if (pair === undefined || values.has(pair.name)) return undefined;
    values.set(pair.name, pair.value);
    if (!reader.isAtElementEnd && !reader.skip(";")) return undefined;
  }
  if (!reader.endElement()) return undefined;
  const node = values.get("for");
  const address = node === undefined ? undefined : toNode(node);
  if (node !== undefined && address === undefined) return undefined;
  return { address, scheme: toScheme(values.get("proto")), host: toHost(values.get("host")) };
}

/** RFC 7239 §6: an address, null for "unknown" and obfuscated ones; undefined when malformed. */
function toNode(text: string): string | null | undefined {
  const [node, ipv6, name = ""] = NODE.exec(text) ?? [];
  if (node === undefined) return undefined;
  // An IPv6 address stands in brackets, an IPv4 address does not.
  if (ipv6 !== undefined) return isIpv4(ipv6) ? undefined : toAddress(ipv6);
  if (name.toLowerCase() === "unknown" || OBFUSCATED.test(name)) return null;
  return isIpv4(name) ? name : undefined;
}

/**
 * X-Forwarded-For has an element for each hop. The other two may have as many, or only those that one proxy set: they
 * are put beside it from the near end.
 */
function readXForwarded(fields: readonly string[], believed: readonly ForwardedField[]): Hop[] {
  const members = (name: ForwardedField): string[] => (believed.includes(name) ? listMembers(fields, name) : []);
  const nodes = members("x-forwarded-for");
  const schemes = members("x-forwarded-proto");
  const hosts = members("x-forwarded-host");
  if (nodes.length === 0 && (schemes.length > 0 || hosts.length > 0)) nodes.push("");
  return nodes.map((node, index) => ({
    // No specification: IPv6 addresses come with and without brackets, and some proxies add the port.
    address: toAddress(node) ?? toNode(node),
    scheme: toScheme(schemes[index]),
    host: toHost(hosts[index]),
  }));
}

function toScheme(text: string | undefined): "http" | "https" | undefined {
  return text === undefined ? undefined : SCHEMES.get(text.toLowerCase());
}

function toHost(text: string | undefined): string | undefined {
  return text !== undefined && isAuthority(text) ? text : undefined;
}

/** RFC 9110 §5.6.1: the members of all lines of a field, last first, without empty ones. */
function listMembers(fields: readonly string[], lowerName: string): string[] {
  return fieldValues(fields, lowerName).flatMap(listOf).reverse();
}

/** Reads one field line from its end. */
class BackwardReader {
  readonly #line: string;
  /** The line has been read from here to its end. */
  #at: number;

  constructor(line: string) {
    this.#line = line;
    this.#at = line.length;
    this.endElement();
  }

  get isAtStart(): boolean {
    return this.#at === 0;
  }

  get isAtElementEnd(): boolean {
    return this.#at === 0 || /[, \t]/.test(this.#before);
  }

  skip(char: string): boolean {
    if (this.#before !== char) return false;
    this.#at--;
    return true;
  }

  /** Skips to the next element, and over empty ones. False if anything but a comma comes first. */
  endElement(): boolean {
    this.#skipBlanks();
    if (this.#at > 0 && this.#before !== ",") return false;
    while (this.skip(",")) this.#skipBlanks();
    return true;
  }

  /** RFC 7239 §4: token "=" ( token / quoted-string ); the name in lower case. */
  readPair(): { name: string; value: string } | undefined {
    const value = this.#before === '"' ? this.#readQuoted() : this.#readToken();
    if (value === undefined || !this.skip("=")) return undefined;
    const name = this.#readToken();
    return name === undefined ? undefined : { name: name.toLowerCase(), value };
  }

  get #before(): string {
    return this.#line.charAt(this.#at - 1);
  }

  #skipBlanks(): void {
    while (this.skip(" ") || this.skip("\t"));
  }

  #readToken(): string | undefined {
    const end = this.#at;
    while (this.#at > 0 && CLASS[this.#line.charCodeAt(this.#at - 1)]! & TOKEN) this.#at--;
    return end === this.#at ? undefined : this.#line.slice(this.#at, end);
  }

  /** A quote inside has a backslash before it, the opening one has "=": no other reading is possible. */
  #readQuoted(): string | undefined {
    const end = this.#at - 1;
    let start = end - 1;
    while (start >= 0 && (this.#line[start] !== '"' || this.#line[start - 1] === "\\")) start--;
    if (start < 0) return undefined;
    this.#at = start;
    const inside = this.#line.slice(start + 1, end);
    return QUOTED.test(inside) ? inside.replace(/\\(.)/g, "$1") : undefined;
  }
}
