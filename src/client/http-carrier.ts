// A session on HTTP (PROTOCOL.md, "Records on HTTP"): an event stream comes down, endless or poll by poll, and POSTs go up.
// One POST at a time has messages; acknowledgements do not wait for it, and go beside it. The stream is read from `fetch`,
// not from an EventSource: it takes headers, and its bytes are seen as they come.
// Long because reading, polling and posting share one state of one carrier.

import { decodeRecordEvent, encodeClientEvent, type OpenRecord } from "../codec/session-record.ts";
import { TypedEventDecoder } from "../codec/sse.ts";
import { type Carrier, type CarrierEnd, type CarrierListener, type Query, SLOWEST } from "./carrier.ts";
import type { ClientSession } from "./client-session.ts";
import { type Endpoint, failure } from "./endpoint.ts";

/** A POST takes more than one record up to this size. */
const POST_BYTES = 65_536;
/** So many POSTs in a row may fail before the carrier is given up; the session then takes another. */
const POST_FAILURES = 3;
/** From so many on, pauses for a receiver that is behind do not grow. */
const MAX_WAITS = 3;
/** A poll that ends sooner than this and brings nothing is none: a server parks polls. */
const IDLE_MS = 250;
/** So many of those in a row are borne. */
const IDLE_POLLS = 4;

export class HttpCarrier implements Carrier {
  readonly kind: "stream" | "poll";
  readonly #endpoint: Endpoint;
  readonly #resumption: () => Query;
  readonly #listener: CarrierListener;
  /** One for each request: a signal keeps its listeners for as long as it lives. */
  readonly #requests = new Set<AbortController>();
  #session: ClientSession | undefined;
  #token = "";
  #heartbeatMs = 0;
  #attempt = 0;
  /** The answer under way has begun with `open`. */
  #isOpen = false;
  /** Bytes of an answer have come, and it is not over. */
  #isReading = false;
  /** The last answer to a POST had an `ack`. */
  #isAcked = false;
  #isPosting = false;
  /** A POST with messages is on its way. */
  #isPending = false;
  #isAcking = false;
  #isAckDue = false;
  #isFinishing = false;
  #isOver = false;
  #isHeld = false;
  /** Present while there must not be another poll. */
  #unhold: (() => void) | undefined;
  /** Ends a pause between two POSTs. */
  #hurry: (() => void) | undefined;

  /** `resumption`: the query that takes the session up. */
  constructor(kind: "stream" | "poll", endpoint: Endpoint, resumption: () => Query, listener: CarrierListener) {
    this.kind = kind;
    this.#endpoint = endpoint;
    this.#resumption = resumption;
    this.#listener = listener;
    this.#down().catch((error) => this.#over(failure(error)));
  }

  begin(session: ClientSession, { session: token, heartbeatMs }: OpenRecord): void {
    this.#session = session;
    this.#token = token;
    this.#heartbeatMs = heartbeatMs;
    this.flush();
  }

  flush(): void {
    if (this.#isPosting || this.#isOver) return;
    this.#isPosting = true;
    this.#up().catch((error) => this.#over(failure(error)));
  }

  acknowledge(): void {
    // A poll says with `after` what has come.
    if (this.kind === "poll") this.#unhold?.();
    else this.#say();
  }

  beat(): boolean {
    // A parked poll needs no sign of life; one that brings a long message, and a client that waits, do.
    if (this.kind === "stream" || this.#isReading || this.#unhold !== undefined) this.#say();
    return true;
  }

  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#unhold?.();
  }

  finish(): void {
    this.#isFinishing = true;
    this.#isAckDue ||= this.#session!.hasAck;
    this.flush();
  }

  end(): void {
    this.#isOver = true;
    for (const request of this.#requests) request.abort();
    this.#unhold?.();
    this.#hurry?.();
  }

  async #down(): Promise<void> {
    const { clock } = this.#listener;
    // PROTOCOL.md, "park": who comes wants to know at once whether polls get through.
    let mode: Query = this.kind === "stream" ? {} : { mode: "poll", park: "0" };
    const query = (): Query => {
      const resumption = this.#resumption();
      this.#attempt = Number(resumption["try"]);
      return { ...mode, ...resumption };
    };
    for (let idlePolls = 0; ; mode = { mode: "poll" }) {
      this.#isOpen = false;
      const before = this.#known;
      const startedAt = clock.now();
      const { ok, status, headers } = await this.#request(query, {}, { Accept: "text/event-stream" }, 0);
      const attempt = this.#attempt;
      this.#isReading = false;
      if (!ok) return this.#over({ ...endOf(status, headers), attempt });
      if (!this.#isOpen) {
        const what = `HTTP ${status} (${headers.get("content-type")}) is not the answer of a session`;
        return this.#over({ attempt, isOdd: true, what });
      }
      if (this.kind === "stream" || this.#session === undefined) return this.#over({ attempt, what: "ended" });
      const isIdle = !("park" in mode) && this.#known === before && clock.now() - startedAt < IDLE_MS;
      idlePolls = isIdle ? idlePolls + 1 : 0;
      if (idlePolls > IDLE_POLLS) return this.#over({ attempt, isOdd: true, what: "polls end at once, with nothing" });
      while ((this.#isHeld || this.#session.isHeld) && !this.#isOver) {
        await new Promise<void>((resolve) => (this.#unhold = resolve));
        this.#unhold = undefined;
      }
    }
  }

  /** Grows with whatever an answer has brought. */
  get #known(): number {
    return this.#session === undefined ? 0 : this.#session.received + this.#session.acknowledged;
  }

  async #up(): Promise<void> {
    // What one turn of the application sends goes up together.
    await undefined;
    for (let failures = 0, waits = 0; !this.#isOver; ) {
      // Where long bodies do not get through, short ones may.
      const maxBytes = POST_BYTES >> (2 * failures);
      const session = this.#session!;
      const before = session.acknowledged;
      let body = this.#isAckDue ? this.#ack(session) : "";
      let count = 0;
      for (const record of session.after()) {
        const event = encodeClientEvent(record);
        if (count > 0 && body.length + event.length > maxBytes) break;
        record.sends = (record.sends ?? 0) + 1;
        body += event;
        count += 1;
      }
      if (body === "") {
        this.#isPosting = false;
        if (this.#isFinishing) this.#over({});
        return;
      }
      this.#isPending = true;
      this.#isAcked = false;
      const end = await this.#post(session, body, failures === 0).catch(failure);
      this.#isPending = false;
      // A poll has begun another session meanwhile.
      if (session !== this.#session || this.#isOver) continue;
      // What was not taken goes up again from where the server is; it must have moved.
      if (session.acknowledged > before || (count === 0 && end.status === 200)) {
        failures = waits = 0;
        continue;
      }
      this.#isAckDue = true;
      const { status = 500, retryAfterMs = 0 } = end;
      // A server whose receiver is behind takes nothing for a while, and says so.
      const isBusy = (status === 200 && this.#isAcked) || (retryAfterMs > 0 && (status === 429 || status === 503));
      // What the server has refused once it refuses again.
      if (!isBusy && (status < 500 || ++failures === POST_FAILURES)) {
        return this.#over({ ...end, isOdd: status !== 410 && "status" in end, what: `POST: ${end.what}` });
      }
      await this.#pause(retryAfterMs || this.#listener.delay(isBusy ? Math.min(++waits, MAX_WAITS) : failures));
    }
  }

  /** An `ack` as soon as possible. */
  #say(): void {
    this.#isAckDue = true;
    if (this.#isPending) void this.#sayBeside();
    else this.flush();
  }

  /** POSTs of acknowledgements alone, while the POST of messages waits for its answer. */
  async #sayBeside(): Promise<void> {
    if (this.#isAcking) return;
    this.#isAcking = true;
    while (this.#isAckDue && this.#isPending && !this.#isOver) {
      const session = this.#session!;
      const { status } = await this.#post(session, this.#ack(session), false).catch(failure);
      if (status === 200) continue;
      // It goes with the next POST, or with the next beat.
      this.#isAckDue = true;
      break;
    }
    this.#isAcking = false;
  }

  #ack(session: ClientSession): string {
    this.#isAckDue = false;
    return encodeClientEvent({ type: "ack", received: session.takeAck() });
  }

  async #post(session: ClientSession, body: string, isFirst: boolean): Promise<CarrierEnd> {
    const { status, headers } = await this.#request(
      () => ({ session: this.#token, from: `${session.acknowledged + 1}` }),
      // A browser lets go what outlives its page only up to 64 KiB (Fetch, "keepalive").
      { method: "POST", body, keepalive: this.#isFinishing && isFirst },
      { "Content-Type": "text/plain;charset=utf-8" },
      (2 * this.#heartbeatMs + body.length / SLOWEST) * session.patience,
      session,
    );
    // A client that does not poll hears that the server is there.
    if (this.#unhold !== undefined) this.#listener.onAlive();
    return endOf(status, headers);
  }

  /** One request and its answer, which is read to its end. `patienceMs`: how long that may take, 0 for ever. */
  async #request(
    query: () => Query,
    init: RequestInit,
    own: Query,
    patienceMs: number,
    session?: ClientSession,
  ): Promise<Response> {
    const { clock, onStart } = this.#listener;
    const { fetch = globalThis.fetch, credentials = "same-origin" } = this.#endpoint.options;
    const { url, headers } = await this.#endpoint.request(query);
    const request = new AbortController();
    if (this.#isOver) request.abort();
    this.#requests.add(request);
    const timer = patienceMs > 0 && clock.setTimer(() => request.abort(new Error("timed out")), patienceMs);
    try {
      if (patienceMs === 0) onStart();
      const { signal } = request;
      const merged = { ...headers, ...own };
      const response = await fetch(url, { ...init, headers: merged, credentials, cache: "no-store", signal });
      await this.#read(response, session);
      return response;
    } finally {
      clock.clearTimer(timer);
      this.#requests.delete(request);
    }
  }

  /** Hands out the records of an answer. `session`: the one of the POST that is answered. */
  async #read({ ok, status, body }: Response, session?: ClientSession): Promise<void> {
    // What was said of another session's numbers says nothing of this one's.
    if (session !== undefined ? session !== this.#session || (!ok && status !== 409) : !ok) {
      body?.cancel().catch(() => {});
      return;
    }
    const decoder = new TypedEventDecoder();
    const reader = body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (session === undefined) {
        this.#isReading = true;
        this.#listener.onAlive();
      }
      decoder.push(value);
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        const record = decodeRecordEvent(event);
        if (record.type === "open") this.#isOpen = true;
        this.#listener.onRecord(record);
        // Nobody listens to a carrier that finishes: it sees for itself how far it is.
        if (record.type !== "ack") continue;
        this.#isAcked = true;
        this.#session?.acknowledge(record.received);
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    const { clock } = this.#listener;
    return new Promise((resolve) => {
      const timer = clock.setTimer(resolve, delayMs);
      this.#hurry = () => {
        clock.clearTimer(timer);
        resolve();
      };
    });
  }

  #over(end: CarrierEnd): void {
    this.end();
    this.#listener.onEnd(end);
  }
}

function endOf(status: number, headers: Headers): CarrierEnd {
  return { status, retryAfterMs: retryAfterOf(headers), what: `HTTP ${status}` };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf(headers: Headers): number {
  const after = headers.get("retry-after") ?? "";
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  // A date of the server is measured by the server's clock, where the answer says it: ours may be hours off.
  const now = Date.parse(headers.get("date") ?? "") || Date.now();
  return Math.max(Date.parse(after) - now || 0, 0);
}
