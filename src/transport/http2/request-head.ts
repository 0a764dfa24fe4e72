// The head of an HTTP/2 request: RFC 9113 §8.3, in the terms of an Exchange. node:http2 has checked the order and the number
// of the pseudo-header fields, and refused fields of one connection (§8.2.2).

import { ChannelError } from "../../base/errors.ts";
import { isAuthority, isFieldValue, isToken } from "../../codec/http1-syntax.ts";

export interface Http2RequestHead {
  /** The method as sent; GET for a WebSocket (RFC 8441), as over HTTP/1.1. */
  readonly method: string;
  /** The `:path`; of a CONNECT its authority. */
  readonly target: string;
  /** Name, value, … without pseudo-header fields. The authority is the `host` field. */
  readonly fields: readonly string[];
  readonly host: string;
  readonly minor: 1;
  /** Undefined if the request does not declare it. */
  readonly contentLength: number | undefined;
  readonly expectContinue: boolean;
  /** RFC 8441 §4: the `:protocol` of an extended CONNECT. */
  readonly protocol: string | undefined;
}

export interface Http2HeadLimits {
  readonly maxHeaderBytes: number;
  readonly maxHeaderCount: number;
  readonly maxTargetBytes: number;
}

/** RFC 9112 §3.2: the characters of a target, as in HTTP/1.1. */
const TARGET_FORM = /^[\x21\x22\x24-\x7e]+$/;

/** Reads name, value, … as node:http2 gives them. Throws a ChannelError with a status for a request that cannot be served. */
export function readHead(raw: readonly string[], limits: Http2HeadLimits): Http2RequestHead {
  const head = read(raw, limits);
  // RFC 9220 §3: 501 for an unknown protocol.
  if (head.protocol !== undefined && head.protocol !== "websocket") {
    throw new ChannelError("NOT_IMPLEMENTED", ":protocol");
  }
  return head;
}

function read(raw: readonly string[], limits: Http2HeadLimits): Http2RequestHead {
  let method = "";
  let path = "";
  let authority: string | undefined;
  let protocol: string | undefined;
  let cookies = "";
  let bytes = 0;
  let count = 0;
  let host: string | undefined;
  let contentLength: number | undefined;
  let expectContinue = false;
  const fields: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    if (name.charCodeAt(0) === 0x3a /* : */) {
      if (name === ":method") method = value;
      else if (name === ":path") path = value;
      else if (name === ":authority") authority = value;
      else if (name === ":protocol") protocol = value;
      continue;
    }
    count += 1;
    // As much as the field line would have in HTTP/1.1.
    bytes += name.length + value.length + 4;
    if (!isFieldValue(value) || !isToken(name)) throw bad("a field has a character that HTTP forbids");
    switch (name) {
      case "cookie":
        // RFC 9113 §8.2.3: the pieces of one cookie field.
        cookies = cookies === "" ? value : `${cookies}; ${value}`;
        continue;
      case "host":
        if (host !== undefined) throw bad("more than one Host");
        host = value;
        continue;
      case "content-length":
        // node:http2 has checked it; RFC 9113 §8.1.1.
        contentLength = Number(value);
        break;
      case "expect":
        if (value.toLowerCase() !== "100-continue") throw new ChannelError("EXPECTATION_FAILED");
        expectContinue = true;
        break;
    }
    fields.push(name, value);
  }
  if (count > limits.maxHeaderCount || bytes > limits.maxHeaderBytes) throw new ChannelError("HEADERS_TOO_LARGE");
  // §8.3.1: a Host that contradicts the authority makes the request malformed.
  if (authority !== undefined && host !== undefined && host.toLowerCase() !== authority.toLowerCase()) {
    throw bad("Host and :authority differ");
  }
  const own = authority ?? host ?? "";
  if (own !== "" && !isAuthority(own)) throw bad(":authority is malformed");
  const isPlainConnect = method === "CONNECT" && protocol === undefined;
  const target = isPlainConnect ? own : path;
  if (target.length > limits.maxTargetBytes) throw new ChannelError("TARGET_TOO_LONG");
  if (!TARGET_FORM.test(target)) throw bad(":path has a character that HTTP forbids");
  if (!isPlainConnect && !target.startsWith("/") && !(target === "*" && method === "OPTIONS")) {
    throw bad(":path must begin with a slash");
  }
  if (own !== "") fields.unshift("host", own);
  if (cookies !== "") fields.push("cookie", cookies);
  const isWebSocket = protocol === "websocket";
  return {
    // RFC 8441 §5: the request stands for the GET of RFC 6455.
    method: isWebSocket ? "GET" : method,
    target,
    fields,
    host: own,
    minor: 1,
    contentLength,
    expectContinue,
    protocol,
  };
}

/** Returns the head of a request that could not be read, as far as its answer depends on it. */
export function unreadableHead(raw: readonly string[]): Http2RequestHead {
  const isHead = raw[raw.indexOf(":method") + 1] === "HEAD";
  return {
    method: isHead ? "HEAD" : "GET",
    target: "/",
    fields: [],
    host: "",
    minor: 1,
    contentLength: undefined,
    expectContinue: false,
    protocol: undefined,
  };
}

function bad(detail: string): ChannelError {
  return new ChannelError("BAD_REQUEST", detail);
}
