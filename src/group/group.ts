// One group in this process: who is in it, and who hears what. A message goes to all who were members when it came, in
// the order of the stream; who joins with an id gets what it missed first, and then the rest, without a gap.

import { guard } from "../base/guard.ts";
import { Queue } from "../base/queue.ts";
import { Roster } from "../base/roster.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { PreparedMessage } from "../channel/prepared-message.ts";
import { event, json, prepare, type SendData } from "../channel/send-data.ts";
import { TransportChannel } from "../channel/transport-channel.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import type { GroupLog } from "./group-log.ts";
import type { GroupEntry } from "./group-message.ts";
import { findMember, link, unlink } from "./joined.ts";
import { Listener, Mark, type Member, Poll } from "./member.ts";
import type { GroupStreams, Missed } from "./streams.ts";

export interface GroupOwner {
  readonly streams: GroupStreams;
  /** It has something that must be let go of in time. */
  watch(group: Group): void;
  /** A member's channel has ended. */
  ended(member: Member): void;
  report(error: unknown, group: string, channel?: AnyChannel): void;
}

const NO_STORE = { "Cache-Control": "no-store" };

export class Group {
  readonly name: string;
  /** Undefined until the stream is heard. */
  log: GroupLog | undefined;
  /** Since when nobody is here. */
  emptySinceMs = 0;
  readonly #owner: GroupOwner;
  readonly #members = new Roster<Member>();
  #marks = 0;
  /** Those who hear a message: the members as they were when it came. */
  #audience: readonly Member[] | undefined;
  #isDelivering = false;
  /** Made for the first message that a callback publishes. */
  #pending: Queue<{ readonly entry: GroupEntry; readonly audience: readonly Member[] }> | undefined;
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

  /** Who is here now. */
  members(): Member[] {
    return this.#members.all();
  }

  find(channel: AnyChannel): Member | undefined {
    return findMember(channel, this);
  }

  /** Its channel must not be here. */
  add(member: Member): void {
    link(member);
    this.#members.add(member);
    if (member instanceof Mark) this.#marks += 1;
    this.#audience = undefined;
  }

  /** From now on more is known of a member. */
  replace(member: Member, mark: Mark): void {
    unlink(member);
    link(mark);
    this.#members.replace(member, mark);
    this.#marks += 1;
    this.#audience = undefined;
  }

  /** False if it was not here. */
  remove(member: Member): boolean {
    if (!this.#members.delete(member)) return false;
    unlink(member);
    if (member instanceof Mark) this.#marks -= 1;
    this.#audience = undefined;
    return true;
  }

  /** Its channel has ended. */
  ended(member: Member): void {
    this.#owner.ended(member);
  }

  /** The next message of the stream. What a callback publishes meanwhile comes after it, to all in the same order. */
  accept(entry: GroupEntry): void {
    this.log!.append(entry);
    if (this.size > 0 || !this.log!.isEmpty) this.#owner.watch(this);
    this.#audience ??= this.#members.all();
    if (this.#isDelivering) {
      this.#pending ??= new Queue();
      this.#pending.push({ entry, audience: this.#audience });
      return;
    }
    this.#isDelivering = true;
    this.#deliver(entry, this.#audience);
    for (let next = this.#pending?.shift(); next !== undefined; next = this.#pending?.shift()) {
      this.#deliver(next.entry, next.audience);
    }
    this.#isDelivering = false;
  }

  /**
   * Messages are lost that were never heard here: whoever can be told is told. `isBeforeAll`: before the first that was heard,
   * so that members which catch up get them from the history.
   */
  gap(isBeforeAll = false): void {
    // Their answers would hide it.
    this.#duePolls = [];
    for (const member of this.#members.all()) {
      // A callback may have removed it.
      if (member.isGone) continue;
      if (member instanceof Mark && member.isWaiting) member.isReset ||= !isBeforeAll;
      else if (member instanceof Poll) this.#resetPoll(member);
      else this.#tellReset(member);
    }
  }

  /** Sends a member what came after `since`, before anything live. Its mark is waiting until that is done. */
  catchUp(mark: Mark, since: string | undefined, isKnown = false): void {
    const { streams } = this.#owner;
    let position = since;
    for (;;) {
      const missed = streams.missed(this, position, isKnown);
      if (missed instanceof Promise) {
        const goOn = (found: Missed): void => {
          if (mark.isGone) return;
          this.#replay(mark, found);
          this.catchUp(mark, found.position, true);
        };
        missed.then(goOn).catch((error: unknown) => this.#owner.report(error, this.name, mark.channel));
        return;
      }
      this.#replay(mark, missed);
      // A callback, or an answer that was the last, may have ended it.
      if (mark.isGone || !mark.channel.isOpen) return;
      position = missed.position;
      isKnown = true;
      if (missed.entries.length === 0) break;
    }
    this.#goLive(mark, position);
  }

  /** Answers polls that have waited long enough: nothing has come. */
  expirePolls(nowMs: number): void {
    if (this.#marks === 0) return;
    for (const poll of this.#members.all()) {
      if (!(poll instanceof Poll) || poll.dueFrom >= 0 || nowMs < poll.untilMs) continue;
      this.#answer(poll.channel, { status: 204, headers: NO_STORE, body: null });
    }
  }

  #goLive(mark: Mark, position: string): void {
    if (mark instanceof Poll && (mark.since === undefined || mark.isReset || mark.found.length > 0)) {
      this.#answer(mark.channel, pollAnswer(mark.found, position, mark.isReset));
      return;
    }
    mark.isWaiting = false;
    if (mark.isReset && !(mark instanceof Poll)) this.#tellReset(mark);
    // What is being delivered just now was in the log before, and so was sent already.
    const isBehind = position !== "" && (this.#isDelivering || !this.log!.has(position));
    mark.after = isBehind ? position : undefined;
  }

  #replay(mark: Mark, { entries, reset }: Missed): void {
    if (mark instanceof Poll) {
      mark.isReset ||= reset;
      mark.found = mark.found.length === 0 ? entries : [...mark.found, ...entries];
      return;
    }
    const { channel } = mark;
    if (reset || mark.isReset) this.#tellReset(mark);
    for (const entry of entries) {
      if (!channel.isOpen) return;
      if (entry.except !== channel) this.#send(channel, this.#formOf(entry, mark));
    }
  }

  #deliver(entry: GroupEntry, audience: readonly Member[]): void {
    const { except } = entry;
    for (const member of audience) {
      if (member.channel === except) continue;
      if (member instanceof Mark) {
        if (member.isGone || this.#isCaughtUp(member, entry)) continue;
        member.after = undefined;
        if (member instanceof Poll) this.#addDue(entry, member);
        else this.#send(member.channel, this.#formOf(entry, member));
        continue;
      }
      // Who was here when it came hears it; but who has left in a callback, and has come back to catch up, has it from there.
      const now = member.isGone ? this.find(member.channel) : member;
      if (!(now instanceof Mark && this.#isCaughtUp(now, entry))) this.#send(member.channel, entry.raw);
    }
    entry.release();
  }

  #formOf(entry: GroupEntry, mark: Mark): PreparedMessage {
    return mark instanceof Listener && mark.isNumbered ? entry.numbered(this.name) : entry.raw;
  }

  /** It has had the entry, or will have it, from what it catches up with. */
  #isCaughtUp({ isWaiting, after }: Mark, { id }: GroupEntry): boolean {
    return isWaiting || (after !== undefined && this.#owner.streams.compareIds(id, after, this.name) <= 0);
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
    // Those that a closed store has let go of as well.
    for (const poll of polls) {
      this.#answer(poll.channel, poll.dueFrom === 0 ? shared : pollAnswer(due.slice(poll.dueFrom), next, false));
    }
  }

  #resetPoll(poll: Poll): void {
    // What is kept is the answer, from the beginning: the poll catches up once more.
    poll.isReset = true;
    poll.dueFrom = -1;
    poll.isWaiting = true;
    this.catchUp(poll, "");
  }

  #tellReset(member: Member): void {
    const { channel } = member;
    if (member instanceof Mark) member.isReset = false;
    const listener = member instanceof Listener ? member : undefined;
    const { onReset } = listener ?? {};
    if (onReset !== undefined) {
      void guard(
        () => onReset(channel),
        (error) => this.#owner.report(error, this.name, channel),
      );
    } else if (channel.transport === "sse" && !isSession(channel)) {
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

/** A session is told in the same words, whatever carries it: its client sees messages, and no types of events. */
function isSession(channel: AnyChannel): boolean {
  return channel instanceof TransportChannel && channel.isSession;
}

function pollAnswer(entries: readonly GroupEntry[], next: string, reset: boolean): SendData {
  const messages = entries.map((entry) => entry.json).join(",");
  return {
    headers: { "Content-Type": "application/json; charset=utf-8", ...NO_STORE },
    body: `{"messages":[${messages}],"next":${JSON.stringify(next)},"reset":${reset}}`,
  };
}
