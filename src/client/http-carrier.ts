// A session on HTTP (PROTOCOL.md, "Records on HTTP"): an event stream comes down, endless or poll by poll, and one POST
// at a time goes up. The stream is read from `fetch`, not from an EventSource: it takes headers, and its bytes are seen
// as they come.

import { ChannelError } from "../base/errors.ts";
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
const POST_BYTES = 262_144;
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
      this.#up().then(
        () => {
          this.#isPosting = false;
          if (this.#isFinishing) this.end();
        },
        (error) => this.#over(error),
      );
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
    do {
      if (this.#session !== undefined) {
        this.#resumption = { token: this.#resumption.token, after: this.#session.takeAck() };
      }
      const response = await this.#request("GET", undefined);
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
      const records = this.#batch();
      if (records.length === 0 && !this.#isAckDue) return;
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
    try {
      const response = await this.#request("POST", body, before + 1);
      await this.#read(response, (record) => {
        // After a 409 the rest goes up again from where the server is.
        if (record?.type === "ack") this.#sent = Math.max(record.received, this.#session!.acknowledged);
      });
    } catch (error) {
      this.#isAckDue ||= isAck;
      throw error;
    }
  }

  /** What goes up next. */
  #batch(): readonly NumberedRecord[] {
    const records = this.#session!.after(this.#sent);
    let size = 0;
    const end = records.findIndex((record) => (size += recordSize(record)) > POST_BYTES);
    return end === -1 ? records : records.slice(0, Math.max(end, 1));
  }

  async #request(method: "GET" | "POST", body: string | undefined, from?: number): Promise<Response> {
    const url = await this.#endpoint.url(this.kind, this.#resumption, from);
    const response = await this.#endpoint.fetch(url, {
      method,
      headers: body === undefined ? { Accept: "text/event-stream" } : { "Content-Type": "text/plain;charset=utf-8" },
      signal: this.#abort.signal,
      ...(body === undefined ? {} : { body, keepalive: this.#isFinishing && body.length < KEEPALIVE_BYTES }),
    });
    if (response.ok || (method === "POST" && response.status === 409)) return response;
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
