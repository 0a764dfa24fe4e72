// One HTTP request of a session: sends it, and reads the records of its answer to the end.

import { decodeRecordEvent } from "../codec/session-record.ts";
import { typedEvents } from "../codec/sse.ts";
import type { Link } from "./carrier.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import type { Query } from "./endpoint.ts";

/** A response that was read to its end. */
export interface Answer extends CarrierEnd {
  /** True if it has a record of the expected type. */
  readonly isRight?: boolean;
}

export interface HttpRequest {
  /** With a body it is a POST, which is answered with an `ack`; without, a GET, answered with an `open`. */
  readonly body?: string | undefined;
  readonly keepalive?: boolean;
  query(): Query;
  /** Time that the request may take from `onStart` on. @default unlimited */
  timeoutMs?(): number;
  /** Called when the request is sent: the application's functions may take a while. */
  onStart?(): void;
  /** Called with each part of the answer. */
  onBytes?(): void;
}

/** `aborters` has the means to end the request while it is under way: a single signal would keep the listeners of each. */
export async function request(link: Link, aborters: Set<AbortController>, options: HttpRequest): Promise<Answer> {
  const { fetch = globalThis.fetch, credentials = "same-origin" } = link.endpoint.options;
  const { session } = link;
  const { epoch } = session;
  const isPost = options.body !== undefined;
  const aborter = new AbortController();
  const { signal } = aborter;
  let cancelTimeout: (() => void) | undefined;
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  /** Hands out the records of the answer. Resolves to true if one of the expected type is among them. */
  async function read(body: ReadableStreamDefaultReader<Uint8Array>): Promise<boolean> {
    const decode = typedEvents();
    let isRight = false;
    for (;;) {
      const { done, value } = await body.read();
      if (done || signal.aborted) return isRight;
      options.onBytes?.();
      for (const event of decode(value)) {
        const record = decodeRecordEvent(event);
        isRight ||= record.type === (isPost ? "ack" : "open");
        link.onRecord(record);
        // The selector ignores a carrier that finishes, so the session takes the acknowledgement here.
        if (record.type === "ack") session.acknowledge(record.received);
      }
    }
  }

  aborters.add(aborter);
  try {
    const { url, headers } = await link.endpoint.request(options.query);
    options.onStart?.();
    cancelTimeout = options.timeoutMs && link.after(options.timeoutMs(), () => aborter.abort(new Error("timed out")));
    const answer = await fetch(url, {
      method: isPost ? "POST" : "GET",
      headers: {
        ...headers,
        [isPost ? "Content-Type" : "Accept"]: `text/${isPost ? "plain;charset=utf-8" : "event-stream"}`,
      },
      body: options.body!,
      keepalive: options.keepalive!,
      credentials,
      cache: "no-store",
      signal,
    });
    const { status } = answer;
    reader = answer.body?.getReader();
    // The numbers in an answer of an earlier epoch mean nothing in this one.
    const isOurs = isPost ? session.epoch === epoch && (status === 200 || status === 409) : status === 200;
    const isRight = isOurs && reader !== undefined && (await read(reader));
    const type = answer.headers.get("content-type");
    return {
      status,
      isRight,
      retryAfterMs: retryAfterOf(answer.headers),
      what: `HTTP ${status}${status === 200 ? ` (${type}) is not the answer of a session` : ""}`,
    };
  } finally {
    cancelTimeout?.();
    aborters.delete(aborter);
    // The rest of the response is not needed.
    reader?.cancel().catch(() => {});
  }
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf(headers: Headers): number {
  const after = headers.get("retry-after")!;
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  // A date of the server is measured by the server's clock, where the answer says it: ours may be hours off.
  const now = Date.parse(headers.get("date")!) || Date.now();
  return Math.max(Date.parse(after) - now || 0, 0);
}
