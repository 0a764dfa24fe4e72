// Reads the messages of a stream once, through a consumer that exists only for that. If a message is lost on the way, the
// reading begins again.

import { unavailable } from "../unavailable.ts";
import type { NatsLink } from "./connection.ts";
import { NatsConsumer, type ReadMessage } from "./consumer.ts";

export interface NatsReading {
  readonly stream: string;
  readonly subject: string;
  /** First sequence to read. Without it: the last message of each subject. */
  readonly from?: number;
  /** Messages behind this sequence may be left out. */
  readonly until?: number;
}

/** Number of readings that are begun when the connection is lost each time. */
const MAX_ATTEMPTS = 5;

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
  const consumer = new NatsConsumer(link, link.timeoutMs);
  const stopWaiting = link.whenClosed(() => consumer.end(unavailable("closed")));
  try {
    const found: ReadMessage[] = [];
    let pending = await consumer.begin(stream, {
      filter_subject: subject,
      ...(from === undefined
        ? { deliver_policy: "last_per_subject" }
        : { deliver_policy: "by_start_sequence", opt_start_seq: Math.max(1, from) }),
    });
    while (pending > 0) {
      const next = consumer.take();
      if (next !== undefined) {
        found.push(next);
        pending = next.position.sequence >= until ? 0 : next.position.pending;
      } else if (consumer.failure !== undefined) throw consumer.failure;
      else if (consumer.isOver) return undefined;
      // Messages were removed before it could deliver them.
      else if (consumer.hasIdled(1)) pending = 0;
      else await consumer.arrival();
    }
    return found;
  } finally {
    stopWaiting();
    consumer.end();
  }
}
