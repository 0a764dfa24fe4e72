// Converts a Fetch Response to data that can be sent. Its body is streamed, unless all of it is available at once.

import { NO_BYTES, utf8 } from "../base/bytes.ts";
import { runtime } from "../base/runtime.ts";
import type { BodyPart, SendBody } from "../channel/body.ts";
import { checkUnread, type SendInit } from "../channel/send-data.ts";
import { fromReader } from "../channel/source.ts";
import { listOf } from "../codec/http1-syntax.ts";

/**
 * The response as data to send. A body that is whole within a turn of the event loop (made of a string, for example; Fetch
 * hides that behind a stream) becomes bytes, so that it gets a `Content-Length`; a longer one stays a stream.
 */
export async function fromResponse(response: Response): Promise<SendInit> {
  checkUnread(response);
  const headers = headersOf(response);
  const body = response.body === null ? null : await peek(response.body);
  if (runtime === "bun" && isUntypedText(body, response.headers)) headers.push(["content-type", TEXT]);
  return { status: response.status, headers, body };
}

/** The type of a text (Fetch §6.2.1, "extract a body"). */
const TEXT = "text/plain;charset=UTF-8";

/**
 * Bun keeps no content type in a Response that was made of text; its own server adds it later. Text and bytes then look the
 * same, except for bytes that are not UTF-8.
 */
function isUntypedText(body: SendBody, headers: Headers): boolean {
  return body instanceof Uint8Array && !headers.has("content-type") && !utf8(body).includes("\ufffd");
}

/** Codings that `fetch` decodes (Fetch §4.4). If a body has an unknown coding, `fetch` decodes none of its codings. */
const DECODED: ReadonlySet<string> = new Set(decodedCodings());

/** RFC 9110 §7.6.1: these fields, and those that Connection names, describe the connection to the other server. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * The header fields that go out. `fetch` decodes a body but leaves `Content-Encoding` and `Content-Length` as the other server
 * sent them, which is wrong for the decoded body. A response that came from `fetch` has a URL; one that the
 * application made has none, and its fields are right as they are.
 */
function headersOf(response: Response): [string, string][] {
  const headers = [...response.headers];
  if (response.url === "") return headers;
  const ofConnection = listOf(response.headers.get("connection") ?? "").map((name) => name.toLowerCase());
  const isDecoded = response.body !== null && isDecodedByFetch(response.headers.get("content-encoding"));
  return headers.filter(([name]) => {
    if (isDecoded && (name === "content-encoding" || name === "content-length")) return false;
    return !CONNECTION_FIELDS.has(name) && !ofConnection.includes(name);
  });
}

/** Measured with Bun 1.4 and Deno 2.9. */
function decodedCodings(): string[] {
  if (runtime === "deno") return ["gzip", "br"];
  return ["gzip", "x-gzip", "deflate", "br", ...(runtime === "bun" || decodesZstd() ? ["zstd"] : [])];
}

/** undici, which is Node's `fetch`, knows zstd since 7.11. */
function decodesZstd(): boolean {
  const [major = 0, minor = 0] = (process.versions["undici"] ?? "").split(".").map(Number);
  return major > 7 || (major === 7 && minor >= 11);
}

function isDecodedByFetch(contentEncoding: string | null): boolean {
  if (contentEncoding === null) return false;
  return contentEncoding.split(",").every((coding) => DECODED.has(coding.trim().toLowerCase()));
}

async function peek(stream: ReadableStream<Uint8Array>): Promise<SendBody> {
  const reader = stream.getReader();
  try {
    const turn = new Promise<"turn">((resolve) => setImmediate(resolve, "turn"));
    const first = reader.read();
    const soon = await Promise.race([first, turn]);
    if (soon === "turn") return resumed(reader, [first]);
    const second = soon.done ? first : reader.read();
    const end = await Promise.race([second, turn]);
    if (end === "turn" || !end.done) return resumed(reader, [first, second]);
    reader.releaseLock();
    return soon.value ?? NO_BYTES;
  } catch (error) {
    reader.releaseLock();
    throw error;
  }
}

/** The stream from its beginning: the reads that were begun, then the rest. */
function resumed(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  begun: ReturnType<typeof reader.read>[],
): AsyncIterable<BodyPart> {
  const source = fromReader(reader as ReadableStreamDefaultReader<BodyPart>, begun);
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve(source.next()),
      async return() {
        source.cancel();
        return { done: true, value: undefined };
      },
    }),
  };
}
