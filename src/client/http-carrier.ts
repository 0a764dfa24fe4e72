// A session on HTTP (PROTOCOL.md, "Records on HTTP"): an event stream comes down, endless or poll by poll, and one POST
// at a time goes up. The stream is read from `fetch`, not from an EventSource: it takes headers, and its bytes are seen
// as they come.

import { ChannelError } from "../base/channel-error.ts";
import { decodeRecordEvent, encodeClientEvent, type OpenRecord } from "../codec/session-record.ts";
import { TypedEventDecoder } from "../codec/sse.ts";
import type { Session } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierListener, Kept, Query } from "./carrier.ts";
import type { Endpoint } from "./endpoint.ts";

/** A POST takes more than one record up to this size. */
const POST_BYTES = 65_536;
/** So many POSTs in a row may fail before the carrier is given up; the session then takes another. */
const POST_FAILURES = 3;

export class HttpCarrier implements Carrier {
  readonly kind: "stream" | "poll";
  readonly #endpoint: Endpoint;
  readonly #resumption: () => Query;
  readonly #listener: CarrierListener;
  readonly #abort = new AbortController();
  #session: Session<Kept> | undefined;
  #token = "";
  #isPosting = false;
  #isAckDue = false;
  #isFinishing = false;
  /** Resolves when there may be another poll. */
  #held: Promise<void> | undefined;
  #unhold: (() => void) | undefined;

  /** `resumption`: the query that takes the session up. */
  constructor(kind: "stream" | "poll", endpoint: Endpoint, resumption: () => Query, listener: CarrierListener) {
    this.kind = kind;
    this.#endpoint = endpoint;
    this.#resumption = resumption;
    this.#listener = listener;
    this.#down().catch((error) => this.#over(failure(error)));
  }

  begin(session: Session<Kept>, open: OpenRecord): void {
    this.#session = session;
    this.#token = open.session;
    this.flush();
  }

  flush(): void {
    if (this.#isPosting) return;
    this.#isPosting = true;
    void this.#up();
  }

  acknowledge(): void {
    // A poll says with `after` what has come.
    if (this.kind === "poll") return;
    this.#isAckDue = true;
    this.flush();
  }

  beat(): void {
    this.acknowledge();
  }

  hold(isHeld: boolean): void {
    this.#unhold?.();
    this.#held = isHeld ? new Promise((resolve) => (this.#unhold = resolve)) : undefined;
  }

  finish(): void {
    this.#isFinishing = true;
    this.#isAckDue ||= this.#session!.hasAck;
    this.flush();
  }

  end(): void {
    this.#abort.abort();
  }

  async #down(): Promise<void> {
    // PROTOCOL.md, "park": who comes wants to know at once whether polls get through.
    let mode: Query = this.kind === "stream" ? {} : { mode: "poll", park: "0" };
    do {
      const query = { ...mode, ...this.#resumption() };
      const response = await this.#request(query, {}, { Accept: "text/event-stream" });
      await this.#read(response, () => this.#listener.onAlive());
      if (!response.ok) return this.#over(endOf(response));
      await this.#held;
      mode = { mode: "poll" };
    } while (this.kind === "poll" && this.#session !== undefined);
    this.#over({});
  }

  async #up(): Promise<void> {
    // What one turn of the application sends goes up together.
    await undefined;
    for (let failures = 0; !this.#abort.signal.aborted; ) {
      // Where long bodies do not get through, short ones may.
      const maxBytes = POST_BYTES >> (2 * failures);
      const session = this.#session!;
      const before = session.acknowledged;
      let body = this.#isAckDue ? encodeClientEvent({ type: "ack", received: session.takeAck() }) : "";
      let count = 0;
      for (const record of session.after()) {
        const event = encodeClientEvent(record);
        if (count > 0 && body.length + event.length > maxBytes) break;
        record.mayHaveLeft = true;
        body += event;
        count += 1;
      }
      if (body === "") {
        this.#isPosting = false;
        if (this.#isFinishing) this.end();
        return;
      }
      this.#isAckDue = false;
      const end = await this.#post(session, body, failures === 0).catch(failure);
      // A poll has begun another session meanwhile.
      if (session !== this.#session) continue;
      // What was not taken goes up again from where the server is; it must have moved.
      if (session.acknowledged > before || (count === 0 && end.status === 200)) {
        failures = 0;
        continue;
      }
      this.#isAckDue = true;
      // What the server has refused once it refuses again.
      const { status = 500 } = end;
      if (status < 500 || ++failures === POST_FAILURES) return this.#over(end);
      await this.#listener.wait(failures);
    }
  }

  async #post(session: Session<Kept>, body: string, isFirst: boolean): Promise<CarrierEnd> {
    const response = await this.#request(
      { session: this.#token, from: `${session.acknowledged + 1}` },
      // A browser lets go what outlives its page only up to 64 KiB (Fetch, "keepalive").
      { method: "POST", body, keepalive: this.#isFinishing && isFirst },
      { "Content-Type": "text/plain;charset=utf-8" },
    );
    // What was said of another session's numbers says nothing of this one's.
    if (session === this.#session) await this.#read(response);
    return endOf(response);
  }

  async #request(query: Query, init: RequestInit, own: Query): Promise<Response> {
    const { fetch = globalThis.fetch, credentials = "same-origin" } = this.#endpoint.options;
    const { url, headers } = await this.#endpoint.request(query);
    const { signal } = this.#abort;
    return fetch(url, { ...init, headers: { ...headers, ...own }, credentials, cache: "no-store", signal });
  }

  /** Hands the records of a response out; `onBytes` is told of all that comes. */
  async #read({ ok, status, body }: Response, onBytes?: () => void): Promise<void> {
    if (!ok && status !== 409) return body?.cancel();
    const decoder = new TypedEventDecoder();
    const reader = body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes?.();
      decoder.push(value);
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        const record = decodeRecordEvent(event);
        this.#listener.onRecord(record);
        // Nobody listens to a carrier that finishes: it sees for itself how far it is.
        if (record.type === "ack") this.#session?.acknowledge(record.received);
      }
    }
  }

  #over(end: CarrierEnd): void {
    this.end();
    this.#listener.onEnd(end);
  }
}

/** A date in `Retry-After` is no time to wait. */
function endOf({ status, headers }: Response): CarrierEnd {
  return { status, retryAfterMs: Number(headers.get("retry-after")) * 1000 || 0 };
}

/** A request that failed says no more than that: it is the network's. */
function failure(error: unknown): CarrierEnd {
  return error instanceof ChannelError ? { error } : {};
}
