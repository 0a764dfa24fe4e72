// A session on HTTP (PROTOCOL.md, "Carriers"): records arrive on an event stream, endless or poll by poll, and are sent in
// POSTs. One POST at a time carries messages; acknowledgements do not wait for it, and are sent beside it. The stream is read
// with `fetch`, not with an EventSource, because `fetch` takes headers and shows bytes as they arrive.

import { encodeClientEvent } from "../codec/session-record.ts";
import type { Carrier, Link } from "./carrier.ts";
import type { ClientSession } from "./client-session.ts";
import type { Query } from "./endpoint.ts";
import { failure } from "./endpoint.ts";
import { type Answer, request } from "./http-request.ts";
import { IDLE_MS, IDLE_POLLS, LINGER_MS, MAX_WAITS, POST_BYTES, POST_FAILURES, SLOWEST } from "./limits.ts";

export function startHttp(kind: "sse" | "poll", link: Link): Carrier {
  const { session, onAlive, onEnd } = link;
  const isPoll = kind === "poll";
  /** Undefined until this carrier has the session. */
  let heartbeatMs: number | undefined;
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

  async function readLoop(): Promise<void> {
    // PROTOCOL.md, "park": the first poll is answered at once, to show that polls get through.
    let mode: Query = isPoll ? { mode: "poll", park: "0" } : {};
    for (let idlePolls = 0; ; mode = { mode: "poll" }) {
      // Grows with each record or acknowledgement that arrives.
      const before = session.received + session.acknowledged;
      const startedAt = link.now();
      const answer = await request(link, aborters, {
        query: () => ({ ...mode, ...link.resumption() }),
        onStart: link.onStart,
        onBytes() {
          isReading = true;
          onAlive();
        },
      });
      isReading = false;
      // The answers to the POSTs decide the rest.
      if (isFinishing) return;
      if (!answer.isRight) return onEnd(answer);
      if (!(isPoll && heartbeatMs)) return onEnd({ what: "ended" });
      const isIdle =
        !("park" in mode) && session.received + session.acknowledged <= before && link.now() - startedAt < IDLE_MS;
      idlePolls = isIdle ? idlePolls + 1 : 0;
      if (idlePolls > IDLE_POLLS) return onEnd({ status: 200, what: "polls end at once, with nothing" });
      while ((isHeld || session.ackNumber < session.received) && !isOver) {
        await new Promise<void>((resolve) => (unhold = resolve));
        unhold = undefined;
      }
      // A carrier that ends while its next poll waits sends none: it would take the session from the carrier that follows.
      if (isOver) return;
    }
  }

  function flush(): void {
    if (isPosting || isOver) return;
    isPosting = true;
    postLoop().catch((error) => onEnd(failure(error)));
  }

  async function postLoop(): Promise<void> {
    // Messages that the application sends in one turn share a POST.
    await undefined;
    for (let failures = 0, waits = 0; !isOver; ) {
      const { epoch, acknowledged } = session;
      const start = isAckDue ? ack() : "";
      // Short bodies may get through where long ones fail.
      const records = takeRecords(session, (POST_BYTES >> (2 * failures)) - start.length);
      const body = start + records;
      if (body === "") {
        isPosting = false;
        if (isFinishing) onEnd({});
        return;
      }
      isPending = true;
      // A browser lets a request outlive its page only up to 64 KiB (Fetch, "keepalive").
      const answer = await post(body, isFinishing && failures === 0);
      isPending = false;
      const { status = 500, retryAfterMs = 0, isRight } = answer;
      // Another session has begun meanwhile: a poll of this carrier goes on with it, and a carrier that finishes is over.
      const isAnother = session.epoch !== epoch;
      if (isAnother && isFinishing) return onEnd({});
      // Records that were not taken are sent again, from where the server is; it must have moved.
      const hasMoved = isAnother || session.acknowledged > acknowledged || (records === "" && status === 200);
      if (hasMoved) failures = waits = 0;
      if (hasMoved || isOver) continue;
      isAckDue = true;
      // A server whose receiver is behind takes nothing for a while, and answers so.
      const isBusy = status === 200 ? isRight : retryAfterMs > 0 && (status === 429 || status === 503);
      // A server that has refused a POST refuses it again.
      if (!isBusy && (status < 500 || ++failures === POST_FAILURES)) {
        return onEnd({ ...answer, attempt: undefined, what: `POST: ${answer.what}` });
      }
      const ms = retryAfterMs || link.delay(isBusy ? Math.min(++waits, MAX_WAITS) : failures);
      if (isFinishing && (lingerMs -= ms) < 0) return onEnd({});
      await new Promise<void>((resolve) => {
        const cancel = link.after(ms, resolve);
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
    return encodeClientEvent({ type: "ack", received: session.takeAck() });
  }

  /** Sends records; the first of them is the oldest that is not acknowledged. Never rejects. */
  async function post(body: string, keepalive = false): Promise<Answer> {
    // Taken now: while the application is asked for its headers, records may be acknowledged, or a poll may begin another session.
    const query: Query = { session: session.token!, from: `${session.acknowledged + 1}` };
    const timeoutMs = (): number => (2 * heartbeatMs! + body.length / SLOWEST) * session.patience;
    const answer = await request(link, aborters, { body, keepalive, timeoutMs, query: () => query }).catch(failure);
    // While the client does not poll, answers to POSTs show that the server lives.
    if (unhold && answer.status) onAlive();
    return answer;
  }

  readLoop().catch((error) => void (isFinishing || onEnd(failure(error))));
  return {
    kind,
    begin(open) {
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
      isAckDue ||= session.hasAck;
      wake();
      flush();
    },
    end,
  };
}

/** Encodes the oldest records for a POST: as many as fit into `maxLength`, and at least one, if there is one. */
function takeRecords(session: ClientSession, maxLength: number): string {
  let text = "";
  for (const record of session.after()) {
    const event = encodeClientEvent(record);
    if (text !== "" && text.length + event.length > maxLength) break;
    record.sends = (record.sends ?? 0) + 1;
    text += event;
  }
  return text;
}
