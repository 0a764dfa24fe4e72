// The content of a session's `request` record: a request of one end, the reply of the other, an error in place of it, or the
// news that nobody waits for the reply. PROTOCOL.md, "Requests". Strict, as `session-record.ts`. Also runs in browsers.

import { fromBase64, toBase64 } from "../base/base64.ts";
import { ChannelError } from "../base/channel-error.ts";
import { parseCount } from "./session-record.ts";

/** `ask` and `cancel` come from the end that has asked, `reply` and `error` from the other one. */
export type RequestVerb = "ask" | "reply" | "error" | "cancel";

export interface RequestContent {
  readonly verb: RequestVerb;
  /** The number of the request: of the end that asks, it grows with each of its requests. */
  readonly id: number;
  /** Empty for `cancel`. For `error` JSON: see `RequestFailure`. */
  readonly data: string | Uint8Array;
}

/** An error in place of a reply. */
export interface RequestFailure {
  readonly code: string;
  /** The text and the data of an error that an application has given on purpose. */
  readonly reason?: string | undefined;
  readonly data?: unknown;
}

const VERBS: readonly RequestVerb[] = ["ask", "reply", "error", "cancel"];

/** Most characters of a first line: a verb, a number and a coding, with spaces between them. */
export const MAX_REQUEST_HEAD = 40;
/** Most characters that one byte or character of the data takes on the wire: a text with a CR in which all else is backslashes. */
export const REQUEST_GROWTH = 2;

/** The first line is the verb, the number and, if the data is not a text as it is, its coding; the data follows. */
export function encodeRequest(verb: RequestVerb, id: number, data: string | Uint8Array = ""): string {
  if (typeof data !== "string") return `${verb} ${id} bytes\n${toBase64(data)}`;
  if (verb === "cancel") return `${verb} ${id}`;
  // An event stream has one kind of line break: a CR would arrive as LF (WHATWG HTML §9.2.6).
  if (data.includes("\r")) return `${verb} ${id} escaped\n${replace(replace(data, "\\", "\\\\"), "\r", "\\r")}`;
  return `${verb} ${id}\n${data}`;
}

/** Throws BAD_RECORD. */
export function decodeRequest(content: string): RequestContent {
  const end = content.indexOf("\n");
  const head = end < 0 ? content : content.slice(0, end);
  // `split` would make an array and three texts of each: a fifth of the time that a request took in all.
  const space = head.indexOf(" ");
  const codingAt = head.indexOf(" ", space + 1);
  const verb = VERBS.find((one) => one.length === space && head.startsWith(one)) ?? fail("form");
  // Requests are counted from 1.
  const id = parseCount(head.slice(space + 1, codingAt < 0 ? undefined : codingAt)) || fail("number");
  const isCancel = verb === "cancel";
  if (isCancel !== end < 0 || (isCancel && codingAt >= 0)) return fail("form");
  const coding = codingAt < 0 ? undefined : head.slice(codingAt + 1);
  const data = isCancel ? "" : decodeData(coding, content.slice(end + 1));
  if (verb === "error") decodeFailure(data);
  return { verb, id, data };
}

/** Returns the number of a content that asks; undefined for another one. The content was decoded before, so its form is right. */
export function askedNumber(content: string): number | undefined {
  return content.startsWith("ask ") ? Number.parseInt(content.slice("ask ".length), 10) : undefined;
}

export function encodeFailure(id: number, failure: RequestFailure): string {
  return encodeRequest("error", id, JSON.stringify(failure));
}

/** Decodes the data of an `error`. Throws BAD_RECORD. */
export function decodeFailure(data: string | Uint8Array): RequestFailure {
  try {
    const { code, reason, data: own } = JSON.parse(data as string);
    if (typeof code === "string" && (reason === undefined || typeof reason === "string")) {
      return { code, reason, data: own };
    }
  } catch {
    // Refused below.
  }
  return fail("error");
}

function decodeData(coding: string | undefined, data: string): string | Uint8Array {
  if (coding === undefined) return data;
  if (coding === "bytes") return fromBase64(data) ?? fail("base64");
  if (coding !== "escaped") return fail("coding");
  return data.split("\\\\").map(unescapeCarriageReturns).join("\\");
}

/** `part` has no doubled backslash. */
function unescapeCarriageReturns(part: string): string {
  if (!part.includes("\\")) return part;
  const text = replace(part, "\\r", "\r");
  return text.includes("\\") ? fail("escape") : text;
}

/** `replaceAll`, which takes five times as long for a text that consists of `what`. */
function replace(text: string, what: string, by: string): string {
  return text.split(what).join(by);
}

function fail(detail: string): never {
  throw new ChannelError("BAD_RECORD", `request: ${detail}`);
}
