// Reads once what a stream holds, through a consumer that lives for this one reading. The consumer numbers its deliveries, so a
// lost message is noticed, and the reading begins again.

import { randomUUID } from "node:crypto";
import { Deadline } from "../../base/deadline.ts";
import { unavailable } from "../unavailable.ts";
import type { NatsMessage } from "./api.ts";
import type { NatsLink } from "./connection.ts";
import { NS_PER_MS, type Place, placeOf } from "./message.ts";

export interface NatsReading {
  readonly stream: string;
  readonly subject: string;
  /** First sequence to read. Without it: the last message of each subject. */
  readonly from?: number;
  /** Messages behind this sequence may be left out. */
  readonly until?: number;
}

export interface ReadMessage {
  readonly message: NatsMessage;
  readonly place: Place;
}

/** Number of readings that are begun when the connection is lost each time. */
const MAX_ATTEMPTS = 5;
/** Interval at which a consumer without further messages says so. */
const HEARTBEAT_MS = 1000;

/** Resolves to all messages, in order and complete. Rejects with BACKPLANE_UNAVAILABLE, or with the API's error. */
export async function readAll(link: NatsLink, reading: NatsReading): Promise<readonly ReadMessage[]> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const found = await readOnce(link, reading);
    if (found !== undefined) return found;
  }
  throw unavailable("the connection was lost each time that the history was read");
}

/** Resolves to undefined if messages were lost on the way. */
async function readOnce(
  link: NatsLink,
  { stream, subject, from, until = Number.POSITIVE_INFINITY }: NatsReading,
): Promise<readonly ReadMessage[] | undefined> {
  const { clock, timeoutMs } = link;
  const inbox = `_INBOX.${randomUUID()}`;
  const found: ReadMessage[] = [];
  let settle!: (outcome: "whole" | "broken" | Error) => void;
  // Settled by a delivery or by a timer, perhaps before anybody awaits it: so it never rejects.
  const finished = new Promise<"whole" | "broken" | Error>((resolve) => {
    settle = resolve;
  });
  const stopWaiting = link.whenClosed(() => settle(unavailable("closed")));
  const deadline = new Deadline(clock, timeoutMs, () => settle(unavailable("history did not come")));
  const take = (message: NatsMessage): void => {
    if (message.headers?.code === 100) {
      // ADR-9, ADR-15: flow control expects an answer; a heartbeat tells the number of delivered messages.
      const stalled = message.headers.get("Nats-Consumer-Stalled");
      const delivered = message.headers.get("Nats-Last-Consumer");
      if (message.reply) message.respond();
      else if (stalled) link.connection.publish(stalled);
      else if (delivered) settle(Number(delivered) === found.length ? "whole" : "broken");
      return;
    }
    const place = placeOf(message.reply ?? "");
    if (place === undefined) return;
    if (place.consumed !== found.length + 1) {
      settle("broken");
      return;
    }
    found.push({ message, place });
    if (place.pending === 0 || place.sequence >= until) settle("whole");
  };
  const subscription = link.connection.subscribe(inbox, {
    callback(error, message) {
      deadline.restart();
      if (error !== null && error !== undefined) settle(unavailable(error));
      else take(message);
    },
  });
  try {
    const policy =
      from === undefined
        ? { deliver_policy: "last_per_subject" }
        : { deliver_policy: "by_start_sequence", opt_start_seq: Math.max(1, from) };
    const { name, num_pending } = await link.createConsumer(stream, {
      ...{ deliver_subject: inbox, filter_subject: subject },
      ...{ flow_control: true, idle_heartbeat: HEARTBEAT_MS * NS_PER_MS },
      ...policy,
    });
    if (num_pending === 0) settle("whole");
    const outcome = await finished;
    link.deleteConsumer(stream, name);
    if (outcome instanceof Error) throw outcome;
    return outcome === "whole" ? found : undefined;
  } finally {
    deadline.clear();
    stopWaiting();
    subscription.unsubscribe();
  }
}
