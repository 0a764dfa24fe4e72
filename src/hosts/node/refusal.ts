// The answers to requests whose head the engine would refuse, and node:http or node:http2 passes on.

import type { ChannelError } from "../../base/errors.ts";
import { isAuthority } from "../../codec/http1-syntax.ts";
import type { Exchange } from "../../transport/exchange.ts";
import { TEXT_PLAIN } from "../../transport/http/format.ts";
import type { HostRefusal } from "../refusal.ts";

/** Node passes on requests that the engine refuses. Their fields would be believed. */
const CLOSING = [...TEXT_PLAIN, "Connection", "close"];
const BAD_HOST: HostRefusal = { status: 400, fields: CLOSING, body: "malformed HTTP request: Host\n" };
const BAD_VERSION: HostRefusal = { status: 505, fields: CLOSING, body: "HTTP version not supported\n" };

/**
 * The answer to a head of HTTP/1 that Node passes on and the engine refuses; undefined for nearly all. RFC 9112 §3.2: one Host,
 * which is an authority. The origin of a page is compared with it.
 */
export function refusalOfHead(
  httpVersionMajor: number,
  { host, minor, fields }: Exchange["head"],
): HostRefusal | undefined {
  if (httpVersionMajor !== 1) return BAD_VERSION;
  let hosts = 0;
  for (let i = 0; i < fields.length; i += 2) if (fields[i]!.length === 4 && /^host$/i.test(fields[i]!)) hosts += 1;
  const hasHost = hosts === 1 ? isAuthority(host) : hosts === 0 && minor === 0;
  return hasHost ? undefined : BAD_HOST;
}

/** The answer to a head of HTTP/2 that the engine refuses. */
export function refusalOf({ status = 400, message }: ChannelError): HostRefusal {
  return { status, fields: TEXT_PLAIN, body: `${message}\n` };
}
