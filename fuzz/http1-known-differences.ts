// The bytes that our server and node:http parse differently, with the reason for each intended difference.
// docs/reference/http-parsing.md has every row, too; a test compares the two.

import { METHODS } from "node:http";
import { isIPv6 } from "node:net";
import { type Answer, isRefused, type Refused, type Understood } from "./http1-endpoints.ts";

/** The first answers that differ; `undefined` is the end of the connection. */
export interface Difference {
  /** All bytes of the connection, latin1. */
  readonly text: string;
  /** The answer before, on which both agree. */
  readonly before: Understood | undefined;
  readonly ours: Answer | undefined;
  readonly theirs: Answer | undefined;
}

interface KnownDifference {
  readonly name: string;
  /** As narrow as possible: other differences must not match. */
  readonly explains: (difference: Difference) => boolean;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: "unknown-method",
    explains: ({ ours, theirs }) =>
      isUnderstood(ours) &&
      isRefused(theirs) &&
      !METHODS.includes(ours.method) &&
      /^HPE_INVALID_METHOD|^HPE_INVALID_VERSION|^HPE_PAUSED_H2_UPGRADE/.test(theirs.reason),
  },
  {
    name: "http-version",
    explains: ({ text, ours, theirs }) =>
      weRefuse(ours, "HTTP version not supported") && isUnderstood(theirs) && /HTTP\/(?!1\.)\d\.\d\r/.test(text),
  },
  {
    name: "minor-version",
    explains: ({ text, ours, theirs }) => isUnderstood(ours) && isRefused(theirs) && /HTTP\/1\.[2-9]\r/.test(text),
  },
  {
    name: "http2-preface",
    // llhttp also drops a correct request before it in the same segment.
    explains: ({ text, ours, theirs }) => ours !== undefined && theirs === undefined && /(^|[\r\n])PRI /.test(text),
  },
  {
    name: "simple-request",
    explains: ({ text, ours, theirs }) =>
      weRefuse(ours, "request line is malformed") &&
      isUnderstood(theirs) &&
      requestLine(theirs, "", " *\r?\n").test(text),
  },
  {
    name: "target-form",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "request target has no known form") &&
      isUnderstood(theirs) &&
      !theirs.target.startsWith("/") &&
      !(theirs.target === "*" && theirs.method === "OPTIONS"),
  },
  {
    name: "fragment-in-target",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "request line is malformed") && isUnderstood(theirs) && theirs.target.includes("#"),
  },
  {
    name: "duplicate-host",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "more than one Host") && isUnderstood(theirs) && field(theirs, "host").includes(","),
  },
  {
    name: "malformed-host",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "Host is malformed") && isUnderstood(theirs) && !isHost(field(theirs, "host")),
  },
  {
    name: "line-end-before-request",
    explains: ({ text, ours, theirs }) =>
      (weRefuse(ours, "method is not a token") || weRefuse(ours, "CR without LF")) &&
      (theirs === undefined
        ? /[\r\n]$/.test(text)
        : isUnderstood(theirs) && requestLine(theirs, "[\r\n]", "[ \r\n]").test(text)),
  },
  {
    name: "spaces-in-request-line",
    explains: ({ text, ours, theirs }) =>
      (weRefuse(ours, "HTTP version is malformed") || weRefuse(ours, "request line is malformed")) &&
      isUnderstood(theirs) &&
      (requestLine(theirs, "", "  +HTTP").test(text) || text.includes(`${theirs.method}  `)),
  },
  {
    name: "tab-behind-value",
    explains: ({ text, ours, theirs }) =>
      isUnderstood(ours) &&
      isRefused(theirs) &&
      /^HPE_INVALID_(TRANSFER_ENCODING|CONTENT_LENGTH)$/.test(theirs.reason) &&
      /(transfer-encoding|content-length):[ \t]*(chunked|\d+) *\t[ \t]*\r/i.test(text),
  },
  {
    name: "chunk-size-digits",
    explains: ({ text, ours, theirs }) =>
      weRefuse(ours, "chunk size has too many digits") && isUnderstood(theirs) && /\n0[0-9a-fA-F]{13,}[;\r]/.test(text),
  },
  {
    name: "chunk-extension",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "chunk extension is malformed") && isUnderstood(theirs) && has(theirs, "transfer-encoding"),
  },
  {
    name: "empty-lines-before-request",
    explains: ({ text, ours, theirs }) =>
      weRefuse(ours, "too many empty lines") && !isRefused(theirs) && /(\r\n){5}/.test(text),
  },
  {
    name: "coding-in-http-1.0",
    explains: ({ text, ours, theirs }) =>
      weRefuse(ours, "Transfer-Encoding in HTTP/1.0") &&
      isUnderstood(theirs) &&
      has(theirs, "transfer-encoding") &&
      text.includes("HTTP/1.0"),
  },
  {
    name: "unknown-coding",
    explains: ({ ours, theirs }) =>
      (weRefuse(ours, "transfer coding not implemented") || weRefuse(ours, "Content-Length with Transfer-Encoding")) &&
      isUnderstood(theirs) &&
      has(theirs, "transfer-encoding") &&
      field(theirs, "transfer-encoding").toLowerCase() !== "chunked",
  },
  {
    name: "forbidden-trailer",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "field is not allowed in trailers") && isUnderstood(theirs) && has(theirs, "transfer-encoding"),
  },
  {
    name: "several-expectations",
    explains: ({ ours, theirs }) =>
      weRefuse(ours, "unknown expectation") &&
      isUnderstood(theirs) &&
      /100-continue/i.test(field(theirs, "expect")) &&
      field(theirs, "expect").toLowerCase() !== "100-continue",
  },
  {
    name: "connect",
    explains: ({ ours, theirs }) =>
      isUnderstood(theirs) && theirs.method === "CONNECT" && (!isUnderstood(ours) || differInBodyOnly(ours, theirs)),
  },
  {
    name: "refused-connect",
    explains: ({ before, ours }) => ours === undefined && before?.method === "CONNECT",
  },
  {
    name: "refused-websocket",
    explains: ({ before, ours }) =>
      ours === undefined && before !== undefined && lowerList(field(before, "upgrade")).includes("websocket"),
  },
  {
    name: "upgrade",
    explains: ({ before, ours, theirs }) =>
      (theirs === undefined && before !== undefined && asksForUpgrade(before)) ||
      (isUnderstood(theirs) && asksForUpgrade(theirs) && (!isUnderstood(ours) || differInBodyOnly(ours, theirs))),
  },
  {
    name: "close-and-keep-alive",
    explains: ({ text, before, ours }) =>
      ours === undefined &&
      before !== undefined &&
      text.includes("HTTP/1.0") &&
      ["close", "keep-alive"].every((option) => lowerList(field(before, "connection")).includes(option)),
  },
  {
    name: "cut-off",
    explains: ({ ours, theirs }) => ours === undefined && isRefused(theirs),
  },
];

function isUnderstood(answer: Answer | undefined): answer is Understood {
  return answer !== undefined && !isRefused(answer);
}

/** A refused HEAD has no body with the reason. */
function weRefuse(answer: Answer | undefined, why: string): answer is Refused {
  return isRefused(answer) && (answer.reason === "" || answer.reason.includes(why));
}

function has(request: Understood, name: string): boolean {
  return request.fields.some(([other]) => other === name);
}

function field(request: Understood, name: string): string {
  return request.fields.find(([other]) => other === name)?.[1] ?? "";
}

/** RFC 9110 §7.2, as far as a request in a test goes. */
function isHost(value: string): boolean {
  const [, name, address, port] = /^(?:([A-Za-z0-9.-]+)|\[([^\]]*)\])(?::([0-9]{1,5}))?$/.exec(value) ?? [];
  if (Number(port ?? 0) > 65_535) return false;
  return name !== undefined || (address !== undefined && isIPv6(address));
}

function lowerList(value: string): string[] {
  return value.split(",").map((member) => member.trim().toLowerCase());
}

function asksForUpgrade(request: Understood): boolean {
  return has(request, "upgrade") && lowerList(field(request, "connection")).includes("upgrade");
}

function differInBodyOnly(a: Understood, b: Understood): boolean {
  return JSON.stringify({ ...a, body: "" }) === JSON.stringify({ ...b, body: "" });
}

function requestLine({ method, target }: Understood, before: string, after: string): RegExp {
  return new RegExp(`${before}${literal(method)} +${literal(target)}${after}`);
}

function literal(text: string): string {
  return text.replace(/[^\w/ ]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
