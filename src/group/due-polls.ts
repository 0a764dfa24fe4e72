// The polls of a group that are answered at the end of this turn of the event loop. A poll has only one answer, which contains
// all entries of the turn.

import { prepare, type SendData } from "../channel/send-data.ts";
import type { Member, PollState } from "./member.ts";
import { type GroupEntry, type GroupMessage, JSON_TYPE, jsonMembers } from "./message.ts";
import type { Replay } from "./stream/source.ts";

/** A member that waits as a poll. */
export type Poll = Member & { readonly state: PollState };

export const NOT_CACHED = { "Cache-Control": "no-store" };
const JSON_HEADERS = { "Content-Type": JSON_TYPE, ...NOT_CACHED };

export class DuePolls {
  readonly #answer: (poll: Poll, data: SendData) => void;
  /** Entries of this turn; undefined while there are none. */
  #entries: GroupEntry[] | undefined;
  #polls: Poll[] = [];

  /** `answer` must not throw. */
  constructor(answer: (poll: Poll, data: SendData) => void) {
    this.#answer = answer;
  }

  /** The entry is part of the poll's answer. */
  add(entry: GroupEntry, poll: Poll): void {
    if (this.#entries === undefined) {
      this.#entries = [];
      setImmediate(() => this.#answerAll());
    }
    if (this.#entries.at(-1) !== entry) this.#entries.push(entry);
    if (poll.state.dueFrom !== undefined) return;
    poll.state.dueFrom = this.#entries.length - 1;
    this.#polls.push(poll);
  }

  /** Forgets all polls: entries were lost, and these answers would not say so. */
  clear(): void {
    this.#polls = [];
  }

  /** Answers all polls of this turn, also those that a closed store has removed. */
  #answerAll(): void {
    const entries = this.#entries!;
    const polls = this.#polls;
    this.#entries = undefined;
    this.#polls = [];
    const position = entries.at(-1)!.id;
    // Nearly always all polls have waited for the same entries and share one answer.
    const shared = prepare(pollAnswer({ entries, position, reset: false }));
    for (const poll of polls) {
      const from = poll.state.dueFrom!;
      this.#answer(poll, from === 0 ? shared : pollAnswer({ entries: entries.slice(from), position, reset: false }));
    }
    for (const entry of entries) entry.release();
  }
}

/** Returns a poll's answer: see `pollGroup`. */
export function pollAnswer({ entries, position, reset }: Replay): SendData {
  return jsonAnswer({ messages: entries.map((entry) => entry.json).join(","), next: position, reset });
}

/** Returns a poll's answer with a broadcast. It has no id, so the client's next poll asks after the same one. */
export function broadcastAnswer(message: GroupMessage, { since }: PollState): SendData {
  return jsonAnswer({ messages: `{${jsonMembers(message)}}`, next: since, reset: false });
}

interface PollAnswer {
  /** JSON objects, with commas between them. */
  readonly messages: string;
  /** An empty `next` asks for all that is kept. */
  readonly next: string | undefined;
  readonly reset: boolean;
}

function jsonAnswer({ messages, next = "", reset }: PollAnswer): SendData {
  return { headers: JSON_HEADERS, body: `{"messages":[${messages}],"next":${JSON.stringify(next)},"reset":${reset}}` };
}
