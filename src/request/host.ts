// The hosts for which a server answers: RFC 9110 §7.4. A page can let its own name point to any address (DNS rebinding): its
// requests to a server on this machine or in this network are then of its own origin. Only their `Host` shows this.

import { ChannelError } from "../base/errors.ts";
import { show } from "../base/option-values.ts";
import { isAuthority } from "../codec/http1-syntax.ts";
import { wholePattern } from "./origin.ts";
import type { ChannelRequest } from "./request.ts";

/**
 * Hosts: `app.example` (on any port), `app.example:8080`, `.app.example` (that name and all below it), or patterns, which
 * must match the whole name, without its port.
 */
export type AllowedHosts = readonly (string | RegExp)[];

/** Tells whether the server answers for the host of a request. Never throws. */
export type HostRule = (request: ChannelRequest) => boolean;

/** Returns undefined if all hosts are allowed. Throws BAD_OPTION, with the correct form, for a text that is not a host. */
export function toHostRule(option: AllowedHosts | undefined): HostRule | undefined {
  if (option === undefined) return undefined;
  if (!Array.isArray(option))
    throw bad(`is not a list: ${typeof option === "string" ? `write [${show(option)}]` : `it is ${show(option)}`}`);
  if (option.length === 0) throw bad("is empty, which would refuse every request: leave it out to allow all hosts");
  const names = new Set<string>();
  const suffixes: string[] = [];
  const patterns: RegExp[] = [];
  for (const entry of option as readonly unknown[]) {
    if (entry instanceof RegExp) patterns.push(wholePattern(entry));
    else if (typeof entry !== "string") throw bad(`has ${show(entry)}, which is neither a string nor a RegExp`);
    else if (entry.startsWith(".")) suffixes.push(`.${toHost(entry.slice(1), entry)}`);
    else names.add(toHost(entry, entry));
  }
  const isAllowed = (host: string, scheme: string): boolean => {
    const [name, port] = split(host);
    if (names.has(name) || names.has(`${name}:${port === "" ? defaultPort(scheme) : port}`)) return true;
    if (suffixes.some((suffix) => name.endsWith(suffix) || name === suffix.slice(1))) return true;
    return patterns.some((pattern) => pattern.test(name));
  };
  // Nearly all requests ask for the host that the one before has asked for.
  let last = "";
  let lastScheme = "";
  return ({ host, scheme }) => {
    if (host === last && scheme === lastScheme) return true;
    if (host === "" || !isAllowed(host, scheme)) return false;
    last = host;
    lastScheme = scheme;
    return true;
  };
}

/** Returns the host in the form that browsers send: lower case, names in ASCII, IPv6 addresses in brackets and short. */
function toHost(text: string, entry: string): string {
  if (text.includes("*")) throw bad(`has ${JSON.stringify(entry)}: write ".app.example" for a name and all below it`);
  const bare = text.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/[/?#].*$/s, "");
  const authority = /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(bare) ? `[${bare}]` : bare;
  const [name, port] = split(authority);
  const ascii = URL.canParse(`http://${name}`) ? new URL(`http://${name}`).hostname : "";
  if (ascii === "" || !isAuthority(port === "" ? ascii : `${ascii}:${port}`) || name.includes("@")) {
    throw bad(`has ${JSON.stringify(entry)}, which is not a host`);
  }
  const host = port === "" ? ascii : `${ascii}:${port}`;
  if (bare !== text)
    throw bad(`has ${JSON.stringify(entry)}, which is more than a host: write ${JSON.stringify(host)}`);
  return host;
}

/** The name in lower case, without the dot of a fully qualified one, and the port, or an empty string. */
function split(authority: string): [name: string, port: string] {
  const at = authority.endsWith("]") ? -1 : authority.lastIndexOf(":");
  const name = (at === -1 ? authority : authority.slice(0, at)).toLowerCase();
  return [name.endsWith(".") ? name.slice(0, -1) : name, at === -1 ? "" : authority.slice(at + 1)];
}

function defaultPort(scheme: string): string {
  return scheme === "https" ? "443" : "80";
}

function bad(text: string): ChannelError {
  return new ChannelError("BAD_OPTION", `allowedHosts ${text}`);
}
