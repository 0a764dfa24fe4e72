// The members of one group in this process, and the delivery of the group's stream to them. An entry goes to the channels that
// are members when it arrives. A member that joined with an id first receives the entries that it missed, then live ones,
// without a gap between them.
// Long because live entries, replays, resets and controls decide together what a member receives next.

import { guard } from "../base/guard.ts";
import { IndexedSet } from "../base/indexed-set.ts";
import { Queue } from "../base/queue.ts";
import type { AnyChannel } from "../channel/channel.ts";
import { PreparedMessage } from "../channel/prepared-message.ts";
import { isEventStream } from "../channel/public-channel.ts";
import { event, json, prepare, type SendData } from "../channel/send-data.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import { ControlEntry, type MemberControl } from "./control.ts";
import { DuePolls, NOT_CACHED, type Poll, pollAnswer } from "./due-polls.ts";
import type { EncodedEntries } from "./encoded-entries.ts";
import { JoinState, Member, type MemberOwner, type MemberState, PollState } from "./member.ts";
import { endListed, findMember, link, unlink } from "./memberships.ts";
import type { EncodedSendable, GroupEntry } from "./message.ts";
import type { Publication } from "./publications.ts";
import type { GroupStream, Replay, StreamListener, StreamSource } from "./stream/source.ts";
import { tellCursor } from "./tell-cursor.ts";

export interface GroupOwner {
  readonly source: StreamSource;
  readonly encoded: EncodedEntries;
  /** True if newcomers receive the last value of each key. */
  readonly startsWithValues: boolean;
  /** The group has entries or polls that expire. */
  watch(group: Group): void;
  memberEnded(member: Member): void;
  /** Called with each entry of each group; undefined if nobody watches. Must not throw. */
  readonly onEntry: ((group: string, entry: GroupEntry) => void) | undefined;
  /** Called when a member has come or gone; undefined if nobody counts. */
  readonly sizeChanged: ((group: Group) => void) | undefined;
  /** Closes or moves a member, if the control concerns it. Never throws. */
  carryOut(member: Member, control: MemberControl): void;
  /** Asks the application for the state of a member. See `States`. */
  ask(group: Group, member: Member, options: { readonly isReset: boolean }): void;
  /** A stream that a process publishes to the group is to be stopped. Never throws. */
  stopStream(group: string, stream: string): void;
  report(error: unknown, group: string | undefined, channel?: AnyChannel): void;
}

/** An entry, and the channels that were members when it arrived. */
type Delivery = readonly [entry: GroupEntry | ControlEntry<MemberControl>, audience: readonly Member[]];

/** How a member begins that receives a state first. */
interface Beginning {
  /** The state, with the id of the last entry that it contains. */
  readonly entry: GroupEntry;
  /** The entries after it. */
  readonly following: Replay;
  /** The member is told first that messages are lost. */
  readonly isReset: boolean;
}

const LOST_NOTHING: Replay = { entries: [], reset: false, position: undefined };
const NO_STATE = { options: undefined, source: undefined };

export class Group implements MemberOwner, StreamListener {
  readonly name: string;
  /** The group's stream. Set by `open`. */
  stream!: GroupStream;
  /** The time at which the last member has left; undefined while it has some, and before the first. Set by the store. */
  emptySinceMs: number | undefined = undefined;
  readonly #owner: GroupOwner;
  readonly #members = new IndexedSet<Member>();
  pollCount = 0;
  /** Number of streams that this process publishes to it: it is not dropped meanwhile. */
  holds = 0;
  /** True if the store has dropped it. An entry that is too large for all histories drops its own group. */
  #hasEnded = false;
  /** Copy of the members for the next delivery; undefined when members have changed since. */
  #audience: readonly Member[] | undefined;
  #isDelivering = false;
  /** Entries that callbacks published during a delivery. Created by the first of them. */
  #pending: Queue<Delivery> | undefined;
  /** Created by the first poll that an entry answers. */
  #due: DuePolls | undefined;

  constructor(name: string, owner: GroupOwner) {
    this.name = name;
    this.#owner = owner;
  }

  /** Opens its stream. Called once, when the store has the group. */
  open(): void {
    this.stream = this.#owner.source.open(this.name, this);
  }

  /** Ends its stream. Called once, when the store drops the group. */
  end(): void {
    this.#hasEnded = true;
    this.stream.end();
  }

  get size(): number {
    return this.#members.size;
  }

  get startsWithValues(): boolean {
    return this.#owner.startsWithValues;
  }

  /** Returns a copy. */
  members(): Member[] {
    return this.#members.snapshot();
  }

  find(channel: AnyChannel): Member | undefined {
    return findMember(channel, this);
  }

  /** Adds a member whose channel is not in the group. */
  add(member: Member): void {
    link(member);
    this.#members.add(member);
    this.emptySinceMs = undefined;
    if (isPoll(member)) this.pollCount += 1;
    this.#audience = undefined;
    this.#owner.sizeChanged?.(this);
  }

  /** Returns false if the member had left before. */
  remove(member: Member): boolean {
    if (!this.#members.delete(member)) return false;
    unlink(member);
    if (isPoll(member)) this.pollCount -= 1;
    this.#audience = undefined;
    this.#owner.sizeChanged?.(this);
    return true;
  }

  channelEnded(first: Member): void {
    endListed(first);
  }

  memberEnded(member: Member): void {
    this.#owner.memberEnded(member);
  }

  /** Delivers an entry. Entries that callbacks publish meanwhile follow it, for all members in the same order. */
  accept(entry: GroupEntry): void {
    if (!this.#hasEnded) this.#owner.watch(this);
    this.#owner.onEntry?.(this.name, entry);
    this.#audience ??= this.#members.snapshot();
    if (this.#isDelivering) {
      this.#pending ??= new Queue();
      this.#pending.push([entry, this.#audience]);
      return;
    }
    this.#isDelivering = true;
    this.#deliver(entry, this.#audience);
    this.#deliverPending();
    this.#isDelivering = false;
  }

  /** Carries out a control when it has its turn among the deliveries. */
  control(entry: ControlEntry): void {
    const { control } = entry;
    if (control.kind === "stop") {
      this.#owner.stopStream(this.name, control.stream);
      return;
    }
    this.#audience ??= this.#members.snapshot();
    this.#pending ??= new Queue();
    this.#pending.push([entry as ControlEntry<MemberControl>, this.#audience]);
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    this.#deliverPending();
    this.#isDelivering = false;
  }

  #deliverPending(): void {
    for (let next = this.#pending?.shift(); next !== undefined; next = this.#pending?.shift()) {
      const [entry, audience] = next;
      if (entry instanceof ControlEntry) this.#carryOut(entry, audience);
      else this.#deliver(entry, audience);
    }
  }

  /** A member that is catching up first receives the messages before the control. */
  #carryOut(entry: ControlEntry<MemberControl>, audience: readonly Member[]): void {
    const { control } = entry;
    for (const member of audience) {
      if (member.hasLeft) continue;
      if (isPoll(member)) {
        // A poll has no attachment. It is an answer, not a connection that can be moved.
        if (control.kind === "disconnect" && control.where === undefined) this.#answerNothing(member.channel);
      } else if (member.state?.isCatchingUp === true && !isAsking(member.state)) {
        member.state.controls ??= [];
        member.state.controls.push(entry);
      } else this.#owner.carryOut(member, control);
    }
  }

  /** Carries out the controls that a member has caught up with: those before the entry with this id, or all. */
  #carryOutDue(member: Member, state: MemberState, before?: string): void {
    while (state.controls !== undefined && !member.hasLeft) {
      const next = state.controls[0];
      if (next === undefined || (before !== undefined && this.stream.compareIds(next.id, before) > 0)) return;
      state.controls.shift();
      if (state.controls.length === 0) state.controls = undefined;
      this.#owner.carryOut(member, next.control);
    }
  }

  gap(where: "between" | "before"): void {
    this.#due?.clear();
    for (const member of this.#members.snapshot()) {
      // A callback may have removed it.
      if (member.hasLeft) continue;
      if (member.state?.isCatchingUp === true) member.state.isReset ||= where === "between";
      else if (isPoll(member)) this.#resetPoll(member);
      else if (hasStates(member.state)) this.ask(member, { isReset: true });
      else {
        this.#tellReset(member);
        // The last values say what was lost, too.
        if (this.startsWithValues && !member.hasLeft) this.catchUpNew(member);
      }
    }
  }

  /** Sends a member the last value of each key, before the live messages. */
  catchUpNew(member: Member): void {
    if (member.state instanceof PollState) return;
    member.state ??= new JoinState();
    member.state.isCatchingUp = true;
    this.catchUp(member, member.state, "");
  }

  /** Asks for the state of a member, which receives nothing until `begin`. */
  ask(member: Member, options: { readonly isReset: boolean }): void {
    this.#owner.ask(this, member, options);
  }

  /** Sends a member its state, and then all entries after it, the first of which are known. */
  begin(member: Member, state: JoinState, { entry, following, isReset }: Beginning): void {
    if (isReset) this.#tellReset(member);
    if (member.hasLeft || !member.channel.isOpen) return;
    state.toldUpTo = entry.id;
    state.caughtUpTo = entry.id;
    state.takesAll = true;
    this.#owner.encoded.add([entry]);
    this.#send(member, this.#formOf(entry, state));
    this.#replay(member, state, following);
    state.caughtUpTo = following.position;
    // More may have come since they were read.
    if (!member.hasLeft) this.#catchUpFrom(this.stream.replayFrom(following.position), member, state);
  }

  /** Adds a long poll. Its channel is answered with the entries after `since`, or with 204 after `untilMs`. */
  park(channel: AnyChannel, asked: string | undefined, untilMs: number): void {
    this.#owner.watch(this);
    const since = asked ?? (this.startsWithValues ? "" : undefined);
    const state = new PollState(since, untilMs);
    const member = new Member(this, channel, state);
    this.add(member);
    this.catchUp(member, state, since);
  }

  /**
   * Sends a member the entries after `since`, which `first` has or begins with. Its state says that it is catching up until
   * that is done.
   */
  catchUp(
    member: Member,
    state: MemberState,
    since: string | undefined,
    first: Replay | Promise<Replay> = this.stream.replay(since),
  ): void {
    state.caughtUpTo = since;
    this.#catchUpFrom(first, member, state);
  }

  #catchUpFrom(first: Replay | Promise<Replay>, member: Member, state: MemberState): void {
    for (let replay = first; ; replay = this.stream.replayFrom(replay.position)) {
      if (replay instanceof Promise) {
        const goOn = (found: Replay): void => {
          if (member.hasLeft || this.#lacksState(member, state, found)) return;
          this.#replay(member, state, found);
          state.caughtUpTo = found.position;
          this.#catchUpFrom(this.stream.replayFrom(found.position), member, state);
        };
        replay.then(goOn).catch((error: unknown) => this.#owner.report(error, this.name, member.channel));
        return;
      }
      if (this.#lacksState(member, state, replay)) return;
      this.#replay(member, state, replay);
      state.caughtUpTo = replay.position;
      // A callback may have removed it, and a replay that was its answer has closed it.
      if (member.hasLeft || !member.channel.isOpen) return;
      if (replay.entries.length === 0) {
        this.#goLive(member, state, replay.position);
        return;
      }
    }
  }

  /** Entries are lost for a member that is catching up: asks for its state if it has one. */
  #lacksState(member: Member, state: MemberState, { reset }: Replay): boolean {
    if (!(reset || state.isReset) || !hasStates(state)) return false;
    this.ask(member, { isReset: true });
    return true;
  }

  /** The id up to which a member has received everything; undefined if it is not known. */
  positionOf({ state }: Member): string | undefined {
    if (state?.isCatchingUp === true) return state.caughtUpTo;
    return state?.receivedUpTo ?? this.stream.position;
  }

  /** Answers the polls whose time is up with 204. */
  expirePolls(nowMs: number): void {
    if (this.pollCount === 0) return;
    for (const member of this.#members.snapshot()) {
      if (!isPoll(member) || member.state.dueFrom !== undefined || nowMs < member.state.untilMs) continue;
      this.#answerNothing(member.channel);
    }
  }

  #answerNothing(channel: AnyChannel): void {
    this.#answer(channel, { status: 204, headers: NOT_CACHED, body: null });
  }

  #goLive(member: Member, state: MemberState, position: string | undefined): void {
    if (state instanceof PollState && (state.since === undefined || state.isReset || state.found.length > 0)) {
      this.#answer(member.channel, pollAnswer({ entries: state.found, position, reset: state.isReset }));
      this.#owner.encoded.add(state.found);
      return;
    }
    // A callback may have lost entries since the last replay.
    if (this.#lacksState(member, state, LOST_NOTHING)) return;
    state.isCatchingUp = false;
    if (state instanceof JoinState) state.takesAll = false;
    if (state.isReset && state instanceof JoinState) this.#tellReset(member);
    this.#carryOutDue(member, state);
    const place = position ?? "";
    if (place !== state.toldUpTo && !member.hasLeft) tellCursor(member, this.name, { id: place });
    // The log has an entry before its delivery begins, so an entry that is being delivered was in the replay.
    const isAhead = position !== undefined && (this.#isDelivering || !this.stream.has(position));
    state.receivedUpTo = isAhead ? position : undefined;
  }

  #replay(member: Member, state: MemberState, { entries, reset }: Replay): void {
    if (state instanceof PollState) {
      state.isReset ||= reset;
      state.found = state.found.length === 0 ? entries : [...state.found, ...entries];
      return;
    }
    const { channel } = member;
    if (reset || state.isReset) this.#tellReset(member);
    this.#owner.encoded.add(entries);
    for (const entry of entries) {
      this.#carryOutDue(member, state, entry.id);
      if (!channel.isOpen || member.hasLeft) return;
      const isRepeated = entry.publication?.isFirstFor(channel) === false;
      const isSkipped = (isRepeated || entry.except === channel) && !state.takesAll;
      state.toldUpTo = isSkipped ? undefined : entry.id;
      if (!isSkipped) this.#send(member, this.#formOf(entry, state));
    }
  }

  #deliver(entry: GroupEntry, all: readonly Member[]): void {
    const { except, publication } = entry;
    const audience = publication === undefined ? all : this.#withoutRepeats(entry, publication, all);
    const usual = entry.inGroup(this.name);
    for (const member of audience) {
      const { channel, state } = member;
      if (channel === except) {
        // The client has everything up to here.
        if (!member.hasLeft && !(state && this.#hasReceived(state, entry))) tellCursor(member, this.name, entry);
        continue;
      }
      if (state === undefined) {
        if (member.hasLeft) this.#deliverLate(entry, member);
        else this.#send(member, usual);
      } else if (!member.hasLeft && !this.#hasReceived(state, entry)) {
        state.receivedUpTo = undefined;
        if (isPoll(member)) {
          this.#due ??= new DuePolls((poll, data) => this.#answer(poll.channel, data));
          this.#due.add(entry, member);
        } else this.#send(member, this.#formOf(entry, state));
      }
    }
    entry.release();
  }

  /** Leaves out the members that have received the message as an entry of another group. */
  #withoutRepeats(entry: GroupEntry, publication: Publication, audience: readonly Member[]): readonly Member[] {
    return audience.filter((member) => {
      const { channel } = member;
      const current = member.hasLeft ? this.find(channel) : member;
      const state = current?.state;
      // These receive it later, in a replay, or not at all.
      const isLive = state === undefined || (!member.hasLeft && !this.#hasReceived(state, entry));
      if (channel === entry.except || !isLive || state instanceof PollState || publication.isFirstFor(channel))
        return true;
      if (state !== undefined) state.receivedUpTo = undefined;
      // The client has everything up to here.
      tellCursor(member, this.name, entry);
      return false;
    });
  }

  /** Delivers to a member that has left in a callback. One that has joined again to catch up receives the entry from its replay. */
  #deliverLate(entry: GroupEntry, member: Member): void {
    const current = this.find(member.channel);
    if (current?.state !== undefined && this.#hasReceived(current.state, entry)) return;
    this.#send(member, entry.inGroup(this.name));
    // The message has given a cursor to a client that is not a member any more.
    if (current === undefined) tellCursor(member, this.name, {});
  }

  #formOf(entry: GroupEntry, state: MemberState): EncodedSendable {
    return state instanceof JoinState && state.options.withIds ? entry.withId(this.name) : entry.inGroup(this.name);
  }

  /** True if the member has received the entry from its replay, or will. */
  #hasReceived({ isCatchingUp, receivedUpTo }: MemberState, { id }: GroupEntry): boolean {
    return isCatchingUp || (receivedUpTo !== undefined && this.stream.compareIds(id, receivedUpTo) <= 0);
  }

  /** The answer contains everything that is kept, so the poll catches up again, from the beginning. */
  #resetPoll(poll: Poll): void {
    const { state } = poll;
    state.isReset = true;
    state.dueFrom = undefined;
    state.isCatchingUp = true;
    this.catchUp(poll, state, "");
  }

  #tellReset(member: Member): void {
    const { channel, state } = member;
    if (state !== undefined) state.isReset = false;
    const { options, source } = state instanceof JoinState ? state : NO_STATE;
    if (source !== undefined) source.isOwed = source.make === undefined;
    const onReset = options?.onReset;
    if (onReset !== undefined) {
      void guard(
        () => onReset(channel),
        (error) => this.#owner.report(error, this.name, channel),
      );
    } else if (member.implementation?.cursors !== undefined && options?.tellsReset !== true) {
      tellCursor(member, this.name, { reset: true });
    } else if (isEventStream(channel)) {
      this.#send(member, prepare(event({ event: "reset", data: JSON.stringify({ group: this.name }) })));
    } else if (options?.tellsReset === true || source !== undefined)
      this.#send(member, prepare(json({ group: this.name, reset: true })));
  }

  #answer(channel: AnyChannel, data: SendData): void {
    try {
      // Plain HTTP has ended with its answer; on any other transport the answer ends the channel, too.
      if (sendRaw(channel, data) && channel.isOpen) channel.close();
    } catch (error) {
      this.#owner.report(error, this.name, channel);
    }
  }

  #send({ channel, implementation }: Member, sendable: EncodedSendable): void {
    try {
      if (implementation !== undefined) implementation.send(sendable);
      else channel.send(new PreparedMessage(sendable.message));
    } catch (error) {
      this.#owner.report(error, this.name, channel);
    }
  }
}

/** True for a member that receives a state whenever entries are lost for it. */
function hasStates(state: MemberState | undefined): boolean {
  return state instanceof JoinState && state.source?.make !== undefined;
}

/** True while the application is asked for the state of a member. */
function isAsking(state: MemberState): boolean {
  return state instanceof JoinState && state.source?.asking !== undefined;
}

function isPoll(member: Member): member is Poll {
  return member.state instanceof PollState;
}
