// One group in this process: who is in it, and who hears what. A message goes to all who were members when it came, in
// the order of the stream; who joins with an id gets what it missed first, and then the rest, without a gap.

import type { AnyChannel } from "../channel/channel.ts";
import type { PreparedMessage } from "../channel/prepared-message.ts";
import { event, json, prepare, type SendData } from "../channel/send-data.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import type { GroupLog } from "./group-log.ts";
import type { GroupEntry } from "./group-message.ts";
import type { GroupStreams, Missed } from "./streams.ts";

/** What is known of a member beside its attachment. Most members have none. */
export interface Mark {
  /** It is catching up, and hears nothing live yet. */
  isWaiting: boolean;
  /** It has had everything up to this id, of which the group has still to hear some. */
  after: string | undefined;
  /** It gets each message as JSON with its id. */
  readonly isNumbered: boolean;
  /** It is told in its own stream when something was lost. */
  readonly tellsReset: boolean;
  readonly onReset: ((channel: AnyChannel) => unknown) | undefined;
  /** Under which key it is present. */
  presence: string | undefined;
  readonly poll: Poll | undefined;
}

/** A request that is answered once, with all that is due. */
export interface Poll {
  readonly untilMs: number;
  /** It said no id: it is told where the stream is. */
  readonly isFirst: boolean;
  readonly since: string;
  found: readonly GroupEntry[];
  isReset: boolean;
  /** Where its messages begin among those that came in this turn; -1: none has. */
  dueFrom: number;
}

/** Those who hear a message: as they were when it came. */
interface Audience {
  readonly plain: readonly AnyChannel[];
  readonly marked: readonly AnyChannel[];
}

export interface GroupOwner {
  readonly streams: GroupStreams;
  /** It has something that must be let go of in time. */
  watch(group: Group): void;
  report(error: unknown, group: string, channel?: AnyChannel): void;
}

const NO_STORE = { "Cache-Control": "no-store" };

export class Group<Attachment = unknown> {
  readonly name: string;
  readonly members: Map<AnyChannel, Attachment | undefined> = new Map();
  /** Undefined until the stream is heard. */
  log: GroupLog | undefined;
  /** Since when nobody is here. */
  emptySinceMs = 0;
  readonly #owner: GroupOwner;
  #marks: Map<AnyChannel, Mark> | undefined;
  #audience: Audience | undefined;
  #isDelivering = false;
  #pending: { readonly entry: GroupEntry; readonly audience: Audience }[] = [];
  /** What came in this turn, for the polls that it answers. */
  #due: GroupEntry[] | undefined;

  constructor(name: string, owner: GroupOwner) {
    this.name = name;
    this.#owner = owner;
  }

  /** True while there may be polls whose time runs out. */
  get hasMarks(): boolean {
    return this.#marks !== undefined;
  }

  add(channel: AnyChannel, attachment: Attachment | undefined, mark: Mark | undefined): void {
    this.members.set(channel, attachment);
    this.#audience = undefined;
    if (mark === undefined) return;
    this.#marks ??= new Map();
    this.#marks.set(channel, mark);
  }

  /** Undefined if it was not here; its mark, or null, if it was. */
  remove(channel: AnyChannel): Mark | null | undefined {
    if (!this.members.delete(channel)) return undefined;
    this.#audience = undefined;
    const mark = this.#marks?.get(channel) ?? null;
    this.#marks?.delete(channel);
    if (this.#marks?.size === 0) this.#marks = undefined;
    return mark;
  }

  mark(channel: AnyChannel): Mark | undefined {
    return this.#marks?.get(channel);
  }

  /** The next message of the stream. What a callback publishes meanwhile comes after it, to all in the same order. */
  accept(entry: GroupEntry): void {
    this.log!.append(entry);
    this.#owner.watch(this);
    this.#audience ??= this.#findAudience();
    if (this.#isDelivering) {
      this.#pending.push({ entry, audience: this.#audience });
      return;
    }
    this.#isDelivering = true;
    this.#deliver(entry, this.#audience, false);
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      this.#deliver(next.entry, next.audience, true);
    }
    this.#isDelivering = false;
  }

  /** Messages are lost that were never heard here: whoever can be told is told. */
  gap(): void {
    for (const channel of [...this.members.keys()]) {
      const mark = this.mark(channel);
      if (mark?.poll !== undefined) this.#resetPoll(channel, mark, mark.poll);
      else if (mark?.isWaiting !== true) this.#tellReset(channel, mark);
    }
  }

  /** Sends a member what came after `since`, before anything live. Its mark is waiting until that is done. */
  catchUp(channel: AnyChannel, mark: Mark, since: string | undefined, isKnown = false): void {
    const { streams } = this.#owner;
    let position = since;
    for (;;) {
      const missed = streams.missed(this, position, isKnown);
      if (missed instanceof Promise) {
        void missed.then((found) => {
          if (this.mark(channel) !== mark) return;
          this.#replay(channel, mark, found);
          this.catchUp(channel, mark, found.position, true);
        });
        return;
      }
      this.#replay(channel, mark, missed);
      // A callback, or an answer that was the last, may have ended it.
      if (this.mark(channel) !== mark || !channel.isOpen) return;
      position = missed.position;
      isKnown = true;
      if (missed.entries.length === 0) break;
    }
    this.#goLive(channel, mark, position);
  }

  /** Answers polls that have waited long enough: nothing has come. */
  expirePolls(nowMs: number): void {
    for (const channel of [...(this.#marks?.keys() ?? [])]) {
      const poll = this.mark(channel)?.poll;
      if (poll === undefined || poll.dueFrom >= 0 || nowMs < poll.untilMs) continue;
      this.#answer(channel, { status: 204, headers: NO_STORE, body: null });
    }
  }

  #goLive(channel: AnyChannel, mark: Mark, position: string): void {
    const { poll } = mark;
    if (poll !== undefined && (poll.isFirst || poll.isReset || poll.found.length > 0)) {
      this.#answer(channel, pollAnswer(poll.found, position, poll.isReset));
      return;
    }
    mark.isWaiting = false;
    // What is being delivered just now was in the log before, and so was sent already.
    const isBehind = position !== "" && (this.#isDelivering || !this.log!.has(position));
    mark.after = isBehind ? position : undefined;
    this.#audience = undefined;
  }

  #replay(channel: AnyChannel, mark: Mark, { entries, reset }: Missed): void {
    const { poll } = mark;
    if (poll !== undefined) {
      poll.isReset ||= reset;
      poll.found = poll.found.length === 0 ? entries : [...poll.found, ...entries];
      return;
    }
    if (reset) this.#tellReset(channel, mark);
    for (const entry of entries) {
      if (!channel.isOpen) return;
      if (entry.except !== channel) this.#send(channel, mark.isNumbered ? entry.numbered(this.name) : entry.raw);
    }
  }

  #findAudience(): Audience {
    if (this.#marks === undefined) return { plain: [...this.members.keys()], marked: [] };
    const plain: AnyChannel[] = [];
    const marked: AnyChannel[] = [];
    for (const channel of this.members.keys()) {
      const mark = this.#marks.get(channel);
      if (mark === undefined) plain.push(channel);
      else if (!mark.isWaiting) marked.push(channel);
    }
    return { plain, marked };
  }

  /** `isLate`: callbacks have run since the audience was taken, in which a member may have left and caught up again. */
  #deliver(entry: GroupEntry, { plain, marked }: Audience, isLate: boolean): void {
    const { except } = entry;
    for (const channel of plain) {
      if (channel === except || (isLate && this.#hasHeard(channel, entry))) continue;
      this.#send(channel, entry.raw);
    }
    for (const channel of marked) {
      const mark = this.mark(channel);
      if (channel === except || mark === undefined || mark.isWaiting || this.#hasHeard(channel, entry)) continue;
      mark.after = undefined;
      if (mark.poll !== undefined) this.#addDue(entry, mark.poll);
      else this.#send(channel, mark.isNumbered ? entry.numbered(this.name) : entry.raw);
    }
    entry.release();
  }

  #hasHeard(channel: AnyChannel, { id }: GroupEntry): boolean {
    const after = this.mark(channel)?.after;
    return after !== undefined && this.#owner.streams.compareIds(id, after) <= 0;
  }

  /** A poll has one answer: what comes in the same turn is in it. */
  #addDue(entry: GroupEntry, poll: Poll): void {
    if (this.#due === undefined) {
      this.#due = [];
      setImmediate(() => this.#answerPolls());
    }
    if (this.#due.at(-1) !== entry) this.#due.push(entry);
    if (poll.dueFrom < 0) poll.dueFrom = this.#due.length - 1;
  }

  #answerPolls(): void {
    const due = this.#due!;
    this.#due = undefined;
    const next = due.at(-1)!.id;
    // Nearly always all have waited for the same, and share one answer.
    const shared = prepare(pollAnswer(due, next, false));
    for (const channel of [...(this.#marks?.keys() ?? [])]) {
      const poll = this.mark(channel)?.poll;
      if (poll === undefined || poll.dueFrom < 0) continue;
      this.#answer(channel, poll.dueFrom === 0 ? shared : pollAnswer(due.slice(poll.dueFrom), next, false));
    }
  }

  #resetPoll(channel: AnyChannel, mark: Mark, poll: Poll): void {
    poll.isReset = true;
    // What is kept is the answer, from the beginning: the poll catches up once more.
    if (mark.isWaiting || poll.dueFrom >= 0) return;
    mark.isWaiting = true;
    this.#audience = undefined;
    this.catchUp(channel, mark, "");
  }

  #tellReset(channel: AnyChannel, mark: Mark | undefined): void {
    if (mark?.onReset !== undefined) this.#try(channel, () => mark.onReset!(channel));
    else if (channel.transport === "sse") {
      this.#send(channel, prepare(event({ event: "reset", data: JSON.stringify({ group: this.name }) })));
    } else if (mark?.tellsReset === true) this.#send(channel, prepare(json({ group: this.name, reset: true })));
  }

  #answer(channel: AnyChannel, data: SendData): void {
    this.#try(channel, () => sendRaw(channel, data, true));
  }

  #send(channel: AnyChannel, message: PreparedMessage): void {
    try {
      channel.send(message, channel.transport === "http");
    } catch (error) {
      this.#owner.report(error, this.name, channel);
    }
  }

  #try(channel: AnyChannel, call: () => unknown): void {
    try {
      call();
    } catch (error) {
      this.#owner.report(error, this.name, channel);
    }
  }
}

function pollAnswer(entries: readonly GroupEntry[], next: string, reset: boolean): SendData {
  const messages = entries.map((entry) => entry.json).join(",");
  return {
    headers: { "Content-Type": "application/json; charset=utf-8", ...NO_STORE },
    body: `{"messages":[${messages}],"next":${JSON.stringify(next)},"reset":${reset}}`,
  };
}
