// Reads messages of a stream once, through a consumer that exists only for that. If a message is lost on the way, the reading begins
// again. It ends, however fast others write meanwhile.

import { unavailable } from "../unavailable.ts";
import { mapAtOnce } from "./at-once.ts";
import type { NatsLink } from "./connection.ts";
import { type ConsumerStart, NatsConsumer } from "./consumer.ts";
import { findMessage, type StoredMessage } from "./find-message.ts";
import { subjectCounts } from "./subject-counts.ts";

/** Number of readings that are begun when the connection is lost each time. */
const MAX_ATTEMPTS = 5;

export interface SequencesRead {
  readonly stream: string;
  readonly subject: string;
  /** First sequence to read. */
  readonly from: number;
  /** The last message of the subject when the reading began: those behind it may be left out. */
  readonly until: number;
}

/** Resolves to the messages of a subject, in order and complete. Rejects with BACKPLANE_UNAVAILABLE, or with the API's error. */
export async function readSequences(link: NatsLink, wanted: SequencesRead): Promise<readonly StoredMessage[]> {
  const { stream, subject, until } = wanted;
  const messages: StoredMessage[] = [];
  let from = Math.max(1, wanted.from);
  for (let failures = 0; failures < MAX_ATTEMPTS; ) {
    const start = { deliver_policy: "by_start_sequence", opt_start_seq: from, filter_subject: subject } as const;
    const found = await readOnce(link, stream, start, until);
    if (found === undefined || found.length === 0) failures += 1;
    for (const message of found ?? []) messages.push(message);
    const next = Math.max(from, (found?.at(-1)?.sequence ?? 0) + 1);
    if (next > until) return messages;
    // A consumer counts too few while others write and remove: only the stream knows that nothing follows.
    const missed = await findMessage(link, stream, { seq: next, next_by_subj: subject });
    if (missed === undefined || missed.sequence > until) return messages;
    from = missed.sequence;
  }
  throw incomplete();
}

/**
 * Resolves to the last message of each subject that matches `subject`, in any order. One that is written or removed meanwhile may be
 * told or not. Rejects as `readSequences` does.
 */
export async function readLast(link: NatsLink, stream: string, subject: string): Promise<readonly StoredMessage[]> {
  const start = { deliver_policy: "last_per_subject", filter_subject: subject } as const;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const [found, counts] = await Promise.all([
      readOnce(link, stream, start, Number.POSITIVE_INFINITY),
      subjectCounts(link, stream, subject),
    ]);
    if (found === undefined) continue;
    const last = new Map(found.map((message) => [message.subject, message]));
    // A message that was replaced before it was delivered has moved behind those that were read; and a consumer counts too few while
    // others write and remove.
    const missed = [...counts.keys()].filter((name) => !last.has(name));
    const moved = await mapAtOnce(missed, (name) => findMessage(link, stream, { last_by_subj: name }));
    return [...last.values(), ...moved.filter((message) => message !== undefined)];
  }
  throw incomplete();
}

function incomplete(): Error {
  return unavailable("the messages of a stream did not come whole, each time that they were read");
}

/** Resolves to undefined if messages were lost on the way. */
async function readOnce(
  link: NatsLink,
  stream: string,
  start: ConsumerStart,
  until: number,
): Promise<readonly StoredMessage[] | undefined> {
  const consumer = new NatsConsumer(link, link.timeoutMs);
  const stopWaiting = link.whenClosed(() => consumer.end(unavailable("closed")));
  try {
    const messages: StoredMessage[] = [];
    const total = await consumer.begin(stream, start);
    let pending = total;
    // Messages that are written from now on come behind those that were there: so many deliveries have reached all of these.
    while (pending > 0 && messages.length < total) {
      const next = consumer.take();
      if (next !== undefined) {
        const { message, position } = next;
        const { sequence, atMs } = position;
        messages.push({ sequence, subject: message.subject, atMs, data: message.data });
        pending = position.pending;
        if (sequence >= until) break;
      } else if (consumer.failure !== undefined) throw consumer.failure;
      else if (consumer.isOver) return undefined;
      // Messages were removed before it could deliver them.
      else if (consumer.hasIdled(1)) break;
      else await consumer.arrival();
    }
    return messages;
  } finally {
    stopWaiting();
    consumer.end();
  }
}
