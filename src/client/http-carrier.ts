// A session on HTTP (PROTOCOL.md, "Carriers"): records arrive on an event stream, endless or poll by poll, and are sent in
// POSTs. One POST at a time carries messages; acknowledgements do not wait for it, and are sent beside it. The stream is read
// with `fetch`, not with an EventSource, because `fetch` takes headers and shows bytes as they arrive.

import { decodeRecordEvent, encodeClientEvent } from "../codec/session-record.ts";
import { typedEvents } from "../codec/sse.ts";
import type { Carrier, Link } from "./carrier.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import type { ClientSession } from "./client-session.ts";
import type { Query } from "./endpoint.ts";
import { failure } from "./endpoint.ts";
import { IDLE_MS, IDLE_POLLS, LINGER_MS, MAX_WAITS, POST_BYTES, POST_FAILURES, SLOWEST } from "./limits.ts";

/** A response that was read to its end. */
interface Answer extends CarrierEnd {
  /** True if it has a record of the expected type. */
  readonly isRight?: boolean;
}

export function startHttp(kind: "sse" | "poll", link: Link): Carrier {
  const { endpoint, now, after, delay, resumption, onStart, onAlive, onRecord, onEnd } = link;
  const isPoll = kind === "poll";
  let session: ClientSession | undefined;
  let token = "";
  let heartbeatMs = 0;
  /** One for each request under way, because a signal keeps its listeners while it lives. */
  const aborters = new Set<AbortController>();
  /** True while the response to a GET arrives. */
  let isReading = false;
  let isPosting = false;
  /** True while a POST with messages is under way. */
  let isPending = false;
  /** True while a POST with acknowledgements alone is under way beside it. */
  let isBeside = false;
  let isAckDue = false;
  let isFinishing = false;
  let isOver = false;
  let isHeld = false;
  /** Present while the next poll waits; continues it. */
  let unhold: (() => void) | undefined;
  /** Ends the pause before the next POST. */
  let wake = (): void => {};
  let lingerMs = LINGER_MS;

  function end(): void {
    isOver = true;
    for (const aborter of aborters) aborter.abort();
    unhold?.();
    wake();
  }

  function over(why: CarrierEnd): void {
    end();
    onEnd(why);
  }

  function failed(error: unknown): void {
    over(failure(error));
  }

  /** Returns a number that grows with each record or acknowledgement that arrives. */
  function known(): number {
    return session ? session.received + session.acknowledged : 0;
  }

  async function readLoop(): Promise<void> {
    // PROTOCOL.md, "park": the first poll is answered at once, to show that polls get through.
    let mode: Query = isPoll ? { mode: "poll", park: "0" } : {};
    for (let idlePolls = 0; ; mode = { mode: "poll" }) {
      const before = known();
      const startedAt = now();
      const answer = await request(() => ({ ...mode, ...resumption() }));
      isReading = false;
      // The answers to the POSTs decide the rest.
      if (isFinishing) return;
      if (!answer.isRight) return over(answer);
      if (!(isPoll && session)) return over({ what: "ended" });
      const isIdle = !("park" in mode) && known() <= before && now() - startedAt < IDLE_MS;
      idlePolls = isIdle ? idlePolls + 1 : 0;
      if (idlePolls > IDLE_POLLS) return over({ status: 200, what: "polls end at once, with nothing" });
      while ((isHeld || session.isHeld) && !isOver) {
        await new Promise<void>((resolve) => (unhold = resolve));
        unhold = undefined;
      }
    }
  }

  function flush(): void {
    if (isPosting || isOver) return;
    isPosting = true;
    postLoop().catch(failed);
  }

  async function postLoop(): Promise<void> {
    // Messages that the application sends in one turn share a POST.
    await undefined;
    for (let failures = 0, waits = 0; !isOver; ) {
      const current = session!;
      const before = current.acknowledged;
      let body = isAckDue ? ack() : "";
      let count = 0;
      for (const record of current.after()) {
        const event = encodeClientEvent(record);
        // Short bodies may get through where long ones fail.
        if (count > 0 && body.length + event.length > POST_BYTES >> (2 * failures)) break;
        record.sends = (record.sends ?? 0) + 1;
        body += event;
        count += 1;
      }
      if (body === "") {
        isPosting = false;
        if (isFinishing) over({});
        return;
      }
      isPending = true;
      // A browser lets a request outlive its page only up to 64 KiB (Fetch, "keepalive").
      const answer = await post(body, { keepalive: isFinishing && failures === 0 });
      isPending = false;
      const { status = 500, retryAfterMs = 0, isRight } = answer;
      // Records that were not taken are sent again, from where the server is; it must have moved. A poll may have begun
      // another session.
      const hasMoved = session !== current || current.acknowledged > before || (count === 0 && status === 200);
      if (hasMoved) failures = waits = 0;
      if (hasMoved || isOver) continue;
      isAckDue = true;
      // A server whose receiver is behind takes nothing for a while, and answers so.
      const isBusy = status === 200 ? isRight : retryAfterMs > 0 && (status === 429 || status === 503);
      // A server that has refused a POST refuses it again.
      if (!isBusy && (status < 500 || ++failures === POST_FAILURES)) {
        return over({ ...answer, attempt: undefined, what: `POST: ${answer.what}` });
      }
      const ms = retryAfterMs || delay(isBusy ? Math.min(++waits, MAX_WAITS) : failures);
      if (isFinishing && (lingerMs -= ms) < 0) return over({});
      await new Promise<void>((resolve) => {
        const cancel = after(ms, resolve);
        wake = () => {
          cancel();
          resolve();
        };
      });
    }
  }

  /** Sends an acknowledgement as soon as possible. */
  async function sendAck(): Promise<void> {
    isAckDue = true;
    if (!isPending) return flush();
    if (isBeside) return;
    isBeside = true;
    while (isBeside && isAckDue && isPending && !isOver) {
      isBeside = (await post(ack())).status === 200;
      // The next POST carries it, or the next heartbeat.
      isAckDue ||= !isBeside;
    }
    isBeside = false;
  }

  function ack(): string {
    isAckDue = false;
    return encodeClientEvent({ type: "ack", received: session!.takeAck() });
  }

  /** Never rejects. */
  async function post(body: string, options?: RequestInit): Promise<Answer> {
    // A poll may begin another session while the application is asked for its headers.
    const of = session!;
    const secret = token;
    const query = (): Query => ({ session: secret, from: `${of.acknowledged + 1}` });
    return request(query, body, options).catch(failure);
  }

  /** Sends one request and reads its answer to the end. With a body it is a POST, which has a timeout. */
  async function request(query: () => Query, body?: string, options?: RequestInit): Promise<Answer> {
    const { fetch = globalThis.fetch, credentials = "same-origin" } = endpoint.options;
    const of = session;
    const isPost = body !== undefined;
    const { url, headers } = await endpoint.request(query);
    const aborter = new AbortController();
    aborters.add(aborter);
    if (isOver) aborter.abort();
    const cancel =
      isPost &&
      after((2 * heartbeatMs + body.length / SLOWEST) * of!.patience, () => aborter.abort(new Error("timed out")));
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
    try {
      if (!isPost) onStart();
      const answer = await fetch(url, {
        ...options,
        method: isPost ? "POST" : "GET",
        headers: {
          ...headers,
          [isPost ? "Content-Type" : "Accept"]: `text/${isPost ? "plain;charset=utf-8" : "event-stream"}`,
        },
        body: body!,
        credentials,
        cache: "no-store",
        signal: aborter.signal,
      });
      const { status } = answer;
      reader = answer.body?.getReader();
      // Numbers of another session mean nothing in this one.
      const isOurs = isPost ? of === session && (status === 200 || status === 409) : status === 200;
      const isRight = isOurs && reader && (await read(reader, isPost ? "ack" : "open"));
      // While the client does not poll, answers to POSTs show that the server lives.
      if (unhold) onAlive();
      const type = answer.headers.get("content-type");
      return {
        status,
        isRight: isRight === true,
        retryAfterMs: retryAfterOf(answer.headers),
        what: `HTTP ${status}${status === 200 ? ` (${type}) is not the answer of a session` : ""}`,
      };
    } finally {
      if (cancel) cancel();
      aborters.delete(aborter);
      // The rest of the response is not needed.
      reader?.cancel().catch(() => {});
    }
  }

  /** Hands out the records of an answer. Resolves to true if a record of the expected type is among them. */
  async function read(reader: ReadableStreamDefaultReader<Uint8Array>, expected: "open" | "ack"): Promise<boolean> {
    const decode = typedEvents();
    let isRight = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done || isOver) return isRight;
      if (expected === "open") {
        isReading = true;
        onAlive();
      }
      for (const event of decode(value)) {
        const record = decodeRecordEvent(event);
        isRight ||= record.type === expected;
        onRecord(record);
        // The selector ignores a carrier that finishes, so the carrier takes the acknowledgement itself.
        if (record.type === "ack") session?.acknowledge(record.received);
      }
    }
  }

  readLoop().catch((error) => void (isFinishing || failed(error)));
  return {
    kind,
    begin(begun, open) {
      session = begun;
      token = open.session;
      heartbeatMs = open.heartbeatMs;
      flush();
    },
    flush,
    acknowledge() {
      // The `after` of a poll acknowledges.
      if (isPoll) unhold?.();
      else void sendAck();
    },
    heartbeat() {
      // A parked poll needs no sign of life. A poll that receives a long message does, and so does a client that waits.
      if (!isPoll || isReading || unhold) void sendAck();
      return true;
    },
    hold() {
      isHeld = true;
    },
    release() {
      isHeld = false;
      unhold?.();
    },
    finish() {
      isFinishing = true;
      isAckDue ||= session!.hasAck;
      wake();
      flush();
    },
    end,
  };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterOf(headers: Headers): number {
  const after = headers.get("retry-after")!;
  if (/^\d+$/.test(after)) return Number(after) * 1000;
  // A date of the server is measured by the server's clock, where the answer says it: ours may be hours off.
  const now = Date.parse(headers.get("date")!) || Date.now();
  return Math.max(Date.parse(after) - now || 0, 0);
}
