// A session on HTTP (PROTOCOL.md, "Records on HTTP"): an event stream comes down, endless or poll by poll, and one POST
// at a time goes up. The stream is read from `fetch`, not from an EventSource: it takes headers, and its bytes are seen
// as they come.

import { ChannelError } from "../base/channel-error.ts";
import {
  decodeRecordEvent,
  encodeRecordEvent,
  type NumberedRecord,
  type OpenRecord,
  type SessionRecord,
} from "../codec/session-record.ts";
import { EventDecoder } from "../codec/sse.ts";
import { recordSize, type Session } from "../protocol/session.ts";
import type { Carrier, CarrierEnd, CarrierListener, Resumption } from "./carrier.ts";
import type { Endpoint } from "./endpoint.ts";

/** A POST takes more than one record up to this size. */
const POST_BYTES = 65_536;
/** What a browser lets a request carry that outlives its page (Fetch, "keepalive"). */
const KEEPALIVE_BYTES = 60_000;
/** So many POSTs in a row may fail before the carrier is given up; the session then takes another. */
const POST_FAILURES = 3;

/** A response that is no success. */
class Refusal extends Error {
  readonly end: CarrierEnd;

  constructor({ status, headers }: Response) {
    super(`HTTP ${status}`);
    const seconds = Number(headers.get("retry-after") ?? 0);
    this.end = { status, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : 0 };
  }
}

export class HttpCarrier implements Carrier {
  readonly kind: "stream" | "poll";
  written = 0;
  readonly #endpoint: Endpoint;
  readonly #listener: CarrierListener;
  readonly #wait: (attempt: number) => Promise<void>;
  readonly #abort = new AbortController();
  #resumption: Resumption;
  #session: Session | undefined;
  /** The number of the last record that the server said it has, or that goes up now. */
  #sent = 0;
  #isPosting = false;
  #isAckDue = false;
  #isFinishing = false;
  #isHeld = false;
  #unhold: (() => void) | undefined;
  #isOver = false;

  /** `wait`: for a while that grows with the attempts. */
  constructor(
    kind: "stream" | "poll",
    endpoint: Endpoint,
    resumption: Resumption,
    listener: CarrierListener,
    wait: (attempt: number) => Promise<void>,
  ) {
    this.kind = kind;
    this.#endpoint = endpoint;
    this.#resumption = resumption;
    this.#listener = listener;
    this.#wait = wait;
    this.#down().catch((error) => this.#over(error));
  }

  begin(session: Session, { session: token, received }: OpenRecord): void {
    this.#resumption = { token, after: 0 };
    this.#session = session;
    this.#sent = received;
    this.flush();
  }

  flush(): void {
    if (this.#isPosting || this.#session === undefined) return;
    this.#isPosting = true;
    // What one turn of the application sends goes up together.
    queueMicrotask(() => {
      this.#up().catch((error) => this.#over(error));
    });
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
    this.#isHeld = isHeld;
    if (!isHeld) this.#unhold?.();
  }

  finish(): void {
    this.#isFinishing = true;
    this.flush();
  }

  end(): void {
    this.#isOver = true;
    this.#unhold?.();
    this.#abort.abort();
  }

  async #down(): Promise<void> {
    let isFirst = true;
    do {
      if (this.#session !== undefined) {
        this.#resumption = { token: this.#resumption.token, after: this.#session.takeAck() };
      }
      // PROTOCOL.md, "park": who comes wants to know at once whether polls get through.
      const query = this.kind === "stream" ? {} : isFirst ? { mode: "poll", park: "0" } : { mode: "poll" };
      isFirst = false;
      const { token, after } = this.#resumption;
      const resume = token === undefined ? {} : { session: token, after: `${after}` };
      const response = await this.#request({ ...query, ...resume }, { headers: { Accept: "text/event-stream" } });
      await this.#read(response, () => this.#listener.onAlive());
      if (this.#isHeld) {
        await new Promise<void>((resolve) => {
          this.#unhold = resolve;
        });
      }
    } while (this.kind === "poll" && this.#session !== undefined && !this.#isOver);
    this.#over();
  }

  async #up(): Promise<void> {
    for (let failures = 0; !this.#isOver; ) {
      // Where long bodies do not get through, short ones may.
      const records = this.#batch(POST_BYTES >> (2 * failures));
      if (records.length === 0 && !this.#isAckDue) {
        this.#isPosting = false;
        if (this.#isFinishing) this.end();
        return;
      }
      const before = this.#sent;
      try {
        await this.#post(records, before);
        failures = 0;
      } catch (error) {
        this.#sent = before;
        const isLasting = error instanceof Refusal && error.end.status! < 500 && error.end.status !== 429;
        if (isLasting || ++failures === POST_FAILURES) throw error;
        await this.#wait(failures);
      }
    }
  }

  async #post(records: readonly NumberedRecord[], before: number): Promise<void> {
    const isAck = this.#isAckDue;
    this.#isAckDue = false;
    let body = isAck ? encodeRecordEvent({ type: "ack", received: this.#session!.takeAck() }) : "";
    for (const record of records) body += encodeRecordEvent(record);
    this.#sent = before + records.length;
    this.written = Math.max(this.written, this.#sent);
    try {
      const response = await this.#request(
        { session: this.#resumption.token!, from: `${before + 1}` },
        {
          method: "POST",
          body,
          headers: { "Content-Type": "text/plain;charset=utf-8" },
          keepalive: this.#isFinishing && body.length < KEEPALIVE_BYTES,
        },
      );
      await this.#read(response, (record) => {
        // What was not taken goes up again from where the server is.
        if (record?.type === "ack") this.#sent = Math.max(record.received, this.#session!.acknowledged);
      });
      if (!response.ok && this.#sent === before) throw new Refusal(response);
    } catch (error) {
      this.#isAckDue ||= isAck;
      throw error;
    }
  }

  /** What goes up next. */
  #batch(maxBytes: number): readonly NumberedRecord[] {
    const records = this.#session!.after(this.#sent);
    let size = 0;
    const end = records.findIndex((record) => (size += recordSize(record)) > maxBytes);
    return end === -1 ? records : records.slice(0, Math.max(end, 1));
  }

  async #request(query: Readonly<Record<string, string>>, init: RequestInit): Promise<Response> {
    const response = await this.#endpoint.fetch(query, { ...init, signal: this.#abort.signal });
    if (response.ok || (response.status === 409 && init.method === "POST")) return response;
    void response.body?.cancel();
    throw new Refusal(response);
  }

  /** Hands the records of a response out; `onSome` is told of each, and of bytes without one. */
  async #read({ body }: Response, onSome: (record?: SessionRecord) => void): Promise<void> {
    const decoder = new EventDecoder();
    const reader = body!.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || this.#isOver) return;
      onSome();
      decoder.push(value);
      for (let event = decoder.next(); event !== undefined && !this.#isOver; event = decoder.next()) {
        const record = decodeRecordEvent(event);
        this.#listener.onRecord(record);
        onSome(record);
      }
    }
  }

  #over(error?: unknown): void {
    if (this.#isOver) return;
    this.end();
    if (error instanceof Refusal) this.#listener.onEnd(error.end);
    // A request that failed says no more than that: it is the network's.
    else this.#listener.onEnd(error instanceof ChannelError ? { error } : {});
  }
}
