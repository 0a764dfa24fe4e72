// One group in this process: who is in it, and who hears what. A message goes to all who were members when it came, in
// the order of the stream; who joins with an id gets what it missed first, and then the rest, without a gap.

import type { AnyChannel } from "../channel/channel.ts";
import type { PreparedMessage } from "../channel/prepared-message.ts";
import { event, json, prepare, type SendData } from "../channel/send-data.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import type { CloseStatus } from "../transport/close-status.ts";
import type { GroupLog } from "./group-log.ts";
import type { GroupEntry } from "./group-message.ts";
import { Listener, Mark, Poll } from "./mark.ts";
import type { GroupStreams, Missed } from "./streams.ts";

/** Those who hear a message: as they were when it came. */
interface Audience {
  readonly plain: readonly AnyChannel[];
  readonly marked: readonly Mark[];
}

export interface GroupOwner {
  readonly streams: GroupStreams;
  /** It has something that must be let go of in time. */
  watch(group: Group): void;
  /** A poll of it is answered, or its client has left. */
  closed(group: Group, channel: AnyChannel): void;
  report(error: unknown, group: string, channel?: AnyChannel): void;
}

const NO_STORE = { "Cache-Control": "no-store" };

export class Group<Attachment = unknown> {
  readonly name: string;
  /** Undefined until the stream is heard. */
  log: GroupLog | undefined;
  /** Since when nobody is here. */
  emptySinceMs = 0;
  /** For its polls: they are in no other group, as a rule, and there are many of them. */
  readonly onClose = (_: CloseStatus, channel: AnyChannel): void => this.#owner.closed(this, channel);
  readonly #owner: GroupOwner;
  /** Each with its attachment alone, or with a mark that has it: one look tells all. */
  readonly #members = new Map<AnyChannel, Attachment | undefined | Mark>();
  #marks = 0;
  #audience: Audience | undefined;
  #isDelivering = false;
  #pending: { readonly entry: GroupEntry; readonly audience: Audience }[] = [];
  /** What came in this turn, and the polls that it answers. */
  #due: GroupEntry[] | undefined;
  #duePolls: Poll[] = [];

  constructor(name: string, owner: GroupOwner) {
    this.name = name;
    this.#owner = owner;
  }

  get size(): number {
    return this.#members.size;
  }

  /** True while there may be polls whose time runs out. */
  get hasMarks(): boolean {
    return this.#marks > 0;
  }

  has(channel: AnyChannel): boolean {
    return this.#members.has(channel);
  }

  /** Who is here now. */
  channels(): AnyChannel[] {
    return [...this.#members.keys()];
  }

  members(): [AnyChannel, Attachment | undefined][] {
    return Array.from(this.#members, ([channel, known]) => [channel, attachmentOf<Attachment>(known)]);
  }

  /** A new member, or a new attachment, or mark, of one. */
  add(channel: AnyChannel, attachment: Attachment | undefined, mark: Mark | undefined): void {
    if (mark !== undefined) {
      if (this.mark(channel) === undefined) this.#marks += 1;
      mark.attachment = attachment;
    }
    this.#members.set(channel, mark ?? attachment);
    this.#audience = undefined;
  }

  /** What was known of it; undefined if it was not here. */
  remove(
    channel: AnyChannel,
  ): { readonly attachment: Attachment | undefined; readonly mark: Mark | undefined } | undefined {
    const mark = this.mark(channel);
    const known = this.#members.get(channel);
    if (!this.#members.delete(channel)) return undefined;
    this.#audience = undefined;
    if (mark !== undefined) {
      mark.state = "gone";
      this.#marks -= 1;
    }
    return { attachment: attachmentOf(known), mark };
  }

  mark(channel: AnyChannel): Mark | undefined {
    const known = this.#members.get(channel);
    return known instanceof Mark ? known : undefined;
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
    for (const channel of this.channels()) {
      const mark = this.mark(channel);
      if (mark instanceof Poll) this.#resetPoll(mark);
      else if (mark?.state !== "waiting") this.#tellReset(channel, mark);
    }
  }

  /** Sends a member what came after `since`, before anything live. Its mark is waiting until that is done. */
  catchUp(mark: Mark, since: string | undefined, isKnown = false): void {
    const { streams } = this.#owner;
    let position = since;
    for (;;) {
      const missed = streams.missed(this, position, isKnown);
      if (missed instanceof Promise) {
        void missed.then((found) => {
          if (mark.state === "gone") return;
          this.#replay(mark, found);
          this.catchUp(mark, found.position, true);
        });
        return;
      }
      this.#replay(mark, missed);
      // A callback, or an answer that was the last, may have ended it.
      if (mark.state === "gone" || !mark.channel.isOpen) return;
      position = missed.position;
      isKnown = true;
      if (missed.entries.length === 0) break;
    }
    this.#goLive(mark, position);
  }

  /** Answers polls that have waited long enough: nothing has come. */
  expirePolls(nowMs: number): void {
    const late: Poll[] = [];
    for (const mark of this.#members.values()) {
      if (mark instanceof Poll && mark.dueFrom < 0 && nowMs >= mark.untilMs) late.push(mark);
    }
    for (const { channel } of late) this.#answer(channel, { status: 204, headers: NO_STORE, body: null });
  }

  #goLive(mark: Mark, position: string): void {
    if (mark instanceof Poll && (mark.since === undefined || mark.isReset || mark.found.length > 0)) {
      this.#answer(mark.channel, pollAnswer(mark.found, position, mark.isReset));
      return;
    }
    mark.state = "live";
    // What is being delivered just now was in the log before, and so was sent already.
    const isBehind = position !== "" && (this.#isDelivering || !this.log!.has(position));
    mark.after = isBehind ? position : undefined;
    this.#audience = undefined;
  }

  #replay(mark: Mark, { entries, reset }: Missed): void {
    if (mark instanceof Poll) {
      mark.isReset ||= reset;
      mark.found = mark.found.length === 0 ? entries : [...mark.found, ...entries];
      return;
    }
    const { channel } = mark;
    if (reset) this.#tellReset(channel, mark);
    for (const entry of entries) {
      if (!channel.isOpen) return;
      if (entry.except !== channel) this.#send(channel, this.#formOf(entry, mark));
    }
  }

  #findAudience(): Audience {
    if (this.#marks === 0) return { plain: this.channels(), marked: [] };
    const plain: AnyChannel[] = [];
    const marked: Mark[] = [];
    for (const [channel, known] of this.#members) {
      if (!(known instanceof Mark)) plain.push(channel);
      else if (known.state === "live") marked.push(known);
    }
    return { plain, marked };
  }

  /** `isLate`: callbacks have run since the audience was taken, in which a member may have left and caught up again. */
  #deliver(entry: GroupEntry, { plain, marked }: Audience, isLate: boolean): void {
    const { except } = entry;
    for (const channel of plain) {
      if (channel === except || (isLate && this.#hasHeard(this.mark(channel), entry))) continue;
      this.#send(channel, entry.raw);
    }
    for (const mark of marked) {
      if (mark.channel === except || mark.state !== "live" || this.#hasHeard(mark, entry)) continue;
      mark.after = undefined;
      if (mark instanceof Poll) this.#addDue(entry, mark);
      else this.#send(mark.channel, this.#formOf(entry, mark));
    }
    entry.release();
  }

  #formOf(entry: GroupEntry, mark: Mark): PreparedMessage {
    return mark instanceof Listener && mark.isNumbered ? entry.numbered(this.name) : entry.raw;
  }

  #hasHeard(mark: Mark | undefined, { id }: GroupEntry): boolean {
    const after = mark?.after;
    return after !== undefined && this.#owner.streams.compareIds(id, after) <= 0;
  }

  /** A poll has one answer: what comes in the same turn is in it. */
  #addDue(entry: GroupEntry, poll: Poll): void {
    if (this.#due === undefined) {
      this.#due = [];
      setImmediate(() => this.#answerPolls());
    }
    if (this.#due.at(-1) !== entry) this.#due.push(entry);
    if (poll.dueFrom >= 0) return;
    poll.dueFrom = this.#due.length - 1;
    this.#duePolls.push(poll);
  }

  #answerPolls(): void {
    const due = this.#due!;
    const polls = this.#duePolls;
    this.#due = undefined;
    this.#duePolls = [];
    const next = due.at(-1)!.id;
    // Nearly always all have waited for the same, and share one answer.
    const shared = prepare(pollAnswer(due, next, false));
    for (const poll of polls) {
      if (poll.state === "gone") continue;
      this.#answer(poll.channel, poll.dueFrom === 0 ? shared : pollAnswer(due.slice(poll.dueFrom), next, false));
    }
  }

  #resetPoll(poll: Poll): void {
    poll.isReset = true;
    // What is kept is the answer, from the beginning: the poll catches up once more.
    if (poll.state === "waiting" || poll.dueFrom >= 0) return;
    poll.state = "waiting";
    this.#audience = undefined;
    this.catchUp(poll, "");
  }

  #tellReset(channel: AnyChannel, mark: Mark | undefined): void {
    const listener = mark instanceof Listener ? mark : undefined;
    if (listener?.onReset !== undefined) {
      try {
        listener.onReset(channel);
      } catch (error) {
        this.#owner.report(error, this.name, channel);
      }
    } else if (channel.transport === "sse") {
      this.#send(channel, prepare(event({ event: "reset", data: JSON.stringify({ group: this.name }) })));
    } else if (listener?.tellsReset === true) this.#send(channel, prepare(json({ group: this.name, reset: true })));
  }

  #answer(channel: AnyChannel, data: SendData): void {
    try {
      sendRaw(channel, data, true);
    } catch (error) {
      this.#owner.report(error, this.name, channel);
    }
  }

  #send(channel: AnyChannel, message: PreparedMessage): void {
    try {
      channel.send(message, channel.transport === "http");
    } catch (error) {
      this.#owner.report(error, this.name, channel);
    }
  }
}

function attachmentOf<Attachment>(known: Attachment | undefined | Mark): Attachment | undefined {
  return known instanceof Mark ? (known.attachment as Attachment | undefined) : known;
}

function pollAnswer(entries: readonly GroupEntry[], next: string, reset: boolean): SendData {
  const messages = entries.map((entry) => entry.json).join(",");
  return {
    headers: { "Content-Type": "application/json; charset=utf-8", ...NO_STORE },
    body: `{"messages":[${messages}],"next":${JSON.stringify(next)},"reset":${reset}}`,
  };
}
