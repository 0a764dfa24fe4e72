// `fetch` over connections of a MemoryNetwork, with the HTTP of node:http, which is independent of the engine that it tests.

import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { CarrierKind } from "../client/carrier.ts";
import type { MemoryNetwork } from "./network.ts";

/** Fetch §2.2.3: a response with one of these has no body. */
const NULL_BODY: readonly number[] = [204, 205, 304];

/**
 * Opens a connection for each request. Paths are relative to `origin`. Redirects are not followed, cookies are not kept, and a
 * body with a content coding is not decoded.
 */
export function memoryFetch(network: MemoryNetwork, origin: string): typeof fetch {
  return async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const target = input instanceof Request ? input : new URL(input, origin);
    const request = new Request(target, { ...init, duplex: "half" } as RequestInit);
    request.signal.throwIfAborted();
    const sent = ask(network, request);
    const stop = (): void => void sent.destroy();
    request.signal.addEventListener("abort", stop);
    try {
      const answer = answerTo(sent);
      await sendBody(request, init.body instanceof ReadableStream, sent);
      return toResponse(await answer, request.method);
    } catch (error) {
      request.signal.throwIfAborted();
      throw new TypeError("fetch failed", { cause: error });
    }
  };
}

function ask(network: MemoryNetwork, { url, method, headers }: Request): ClientRequest {
  const { host, pathname, search } = new URL(url);
  try {
    const socket = network.connect(kindOf(url, method, headers));
    return httpRequest({
      method,
      path: pathname + search,
      headers: { Host: host, ...Object.fromEntries(headers) },
      createConnection: () => socket,
    });
  } catch (cause) {
    throw new TypeError("fetch failed", { cause });
  }
}

/** The carrier of a session that makes this request; undefined if no session does. */
function kindOf(url: string, method: string, headers: Headers): CarrierKind | undefined {
  if (method !== "GET" || headers.get("accept") !== "text/event-stream") return undefined;
  return new URL(url).searchParams.get("mode") === "poll" ? "poll" : "sse";
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sent.on("response", resolve);
    sent.on("error", reject);
    sent.on("close", () => reject(new Error("the connection ended before the response")));
  });
  // Code that fails before it awaits the answer reports its own error.
  answer.catch(() => {});
  return answer;
}

async function sendBody(request: Request, isStream: boolean, sent: ClientRequest): Promise<void> {
  if (request.body === null) sent.end();
  else if (isStream) {
    for await (const part of request.body as unknown as AsyncIterable<Uint8Array>) sent.write(part);
    sent.end();
  } else {
    const body = Buffer.from(await request.arrayBuffer());
    sent.setHeader("Content-Length", body.length);
    sent.end(body);
  }
}

function toResponse(message: IncomingMessage, method: string): Response {
  const { statusCode: status = 0, statusMessage: statusText = "", rawHeaders } = message;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const isEmpty = method === "HEAD" || NULL_BODY.includes(status);
  if (isEmpty) message.resume();
  const body = isEmpty ? null : (Readable.toWeb(message) as unknown as ReadableStream<Uint8Array>);
  return new Response(body, { status, statusText, headers });
}
