// Who is in which group, and what is done with them: the ChannelStore over any streams.
// Contract C1–C6 of the page that the project starts from, with what it left open settled: one member's failure never
// stops the rest, event streams and WebSockets stay open, and a channel that closes leaves by itself.
// Long because all verbs share the groups and the one timer.

import { randomBytes } from "node:crypto";
import { utf8, utf8Bytes } from "../base/bytes.ts";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync, guard } from "../base/guard.ts";
import { kindOf, LogLimit } from "../base/log-limit.ts";
import { withChannel } from "../channel/accept.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
import type { HeadersInput } from "../channel/headers.ts";
import { PreparedMessage } from "../channel/prepared-message.ts";
import type { ChannelRequest } from "../channel/request.ts";
import { prepare, type SendData } from "../channel/send-data.ts";
import { discardBody } from "../channel/source.ts";
import { TransportChannel } from "../channel/transport-channel.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import type {
  Broadcast,
  ChannelStore,
  ChannelStoreOptions,
  GroupHistory,
  GroupMember,
  JoinOptions,
  PresentMember,
  PublishOptions,
} from "./channel-store.ts";
import { Group, type GroupOwner } from "./group.ts";
import { jsonMembers, toGroupMessage, toSendData } from "./group-message.ts";
import { HistoryBudget } from "./history-budget.ts";
import { endMemberships } from "./joined.ts";
import { Listener, Mark, Member, Poll } from "./member.ts";
import { printError } from "./print-error.ts";
import {
  checkGroupName,
  checkHistorySince,
  checkJoinOptions,
  checkMember,
  checkPublishOptions,
  checkStoreOptions,
} from "./store-options.ts";
import type { GroupStreams, StreamsOwner } from "./streams.ts";

/** What makes the message of each member. */
type Maker<Attachment, Out> = (channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown;

/** Enough for a client to lose its network and come back. */
const DEFAULT_HISTORY = { size: 100, ttlMs: 60_000, maxBytes: 1024 * 1024, maxTotalBytes: 64 * 1024 * 1024 };
/** How often it is looked for polls that have waited long enough, and for what nobody needs any more. */
const TICK_MS = 1000;
const POLL_OPTIONS = { sse: false };
const NO_OPTIONS: PublishOptions = {};

export class GroupStore<Attachment = unknown, Out = unknown> implements ChannelStore<Attachment, Out> {
  readonly #options: ChannelStoreOptions<Attachment, Out>;
  readonly #clock: Clock;
  readonly #streams: GroupStreams;
  /** Of all groups. */
  readonly #groupOwner: GroupOwner;
  readonly #groups = new Map<string, Group>();
  /** Channels of another make that will tell of their end. */
  readonly #asked = new WeakSet<AnyChannel>();
  /** Groups that the timer looks at. */
  readonly #watched = new Set<Group>();
  readonly #presenceId: string = randomBytes(8).toString("hex");
  #presenceCount = 0;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Made by the first error that is printed. */
  #printLimit: LogLimit | undefined;

  /** Users have `createChannelStore`. */
  constructor(options: ChannelStoreOptions<Attachment, Out>, makeStreams: (owner: StreamsOwner) => GroupStreams) {
    checkStoreOptions(options);
    const { clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    const history = withDefaults(DEFAULT_HISTORY, options.history);
    this.#streams = makeStreams({
      clock,
      history,
      budget: new HistoryBudget(history.maxTotalBytes),
      findGroup: (name, isNeeded) => (isNeeded ? this.#make(name) : this.#groups.get(name)),
      emptied: (group) => {
        if (group.size === 0) this.#drop(group);
      },
      report: (error, group) => this.#report(error, group),
    });
    this.#groupOwner = {
      streams: this.#streams,
      watch: (group) => this.#watch(group),
      ended: (member) => this.#leave(member),
      report: (error, group, channel) => this.#report(error, group, channel),
    };
  }

  addToGroup(name: string, channel: GroupMember<Out>, attachment?: Attachment, options: JoinOptions<Out> = {}): void {
    checkGroupName(name);
    checkMember("the second argument of addToGroup", channel);
    checkJoinOptions(options);
    // Who has ended would never leave.
    if (this.#isClosed || hasEnded(channel)) return;
    const info = options.presence === undefined ? undefined : presencePayload(options.presence);
    const group = this.#make(name);
    const known = group.find(channel);
    const member = known ?? toMember(group, channel, options);
    member.attachment = attachment;
    if (known === undefined) this.#join(member);
    if (info !== undefined) this.#show(member, info);
    if (known !== undefined || member.isGone) return;
    this.#tell(this.#options.onJoin, member);
    const { since } = options;
    if (since !== undefined && since !== null && member instanceof Mark && !member.isGone) group.catchUp(member, since);
  }

  removeFromGroup(name: string, channel: AnyChannel): boolean {
    const member = this.#groups.get(name)?.find(channel);
    if (member === undefined) return false;
    this.#leave(member);
    return true;
  }

  broadcast(name: string, data: Broadcast<Attachment, Out>): number {
    checkGroupName(name);
    const members = this.members(name);
    const make = typeof data === "function" ? (data as Maker<Attachment, Out>) : undefined;
    const common = make === undefined ? this.#encode(data) : undefined;
    const shared = toShared(common, members.length);
    if (members.length === 0) discardBody(common);
    let reached = 0;
    // Over a copy: members join and leave while their callbacks run.
    for (const [channel, attachment] of members) {
      try {
        // A callback before may have removed it: it is asked all the same, as the seed's store does.
        const member = this.#groups.get(name)?.find(channel);
        const value =
          make === undefined
            ? common
            : this.#encode(callSync("the function of broadcast", () => make(channel, attachment)));
        if (value === undefined) continue;
        const message = member instanceof Poll ? toPollAnswer(value, member) : (shared ?? toSendData(value));
        if (sendRaw(channel, message, channel.transport === "http")) reached += 1;
      } catch (error) {
        this.#report(error, name, channel);
      }
    }
    return reached;
  }

  async publish(
    name: string,
    message: unknown,
    options: PublishOptions = NO_OPTIONS,
  ): Promise<{ readonly id: string }> {
    // Everything here happens in the call: `async` only makes a rejection of what throws.
    try {
      checkGroupName(name);
      if (options !== NO_OPTIONS) checkPublishOptions(options);
      const { except } = options;
      if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
      const published = this.#streams.publish(name, toGroupMessage(this.#encode(message)), except);
      return { id: await published };
    } catch (error) {
      // A stream cannot be published, and nobody will read it.
      discardBody(message);
      throw error;
    }
  }

  async history(name: string, since?: string | null): Promise<GroupHistory> {
    checkGroupName(name);
    checkHistorySince(since);
    const { entries, reset } = await this.#streams.history(name, since ?? "");
    return { messages: entries.map((entry) => entry.toHistory()), reset };
  }

  async presence(name: string): Promise<readonly PresentMember[]> {
    checkGroupName(name);
    const members = await this.#streams.present(name);
    return members.flatMap(({ key, payload }) => {
      try {
        return [{ key, info: JSON.parse(utf8(payload)) as unknown }];
      } catch (error) {
        this.#report(
          new ChannelError("BAD_DATA", "what a member of the backplane shows is no JSON", { cause: error }),
          name,
        );
        return [];
      }
    });
  }

  members(name: string): readonly (readonly [GroupMember<Out>, Attachment | undefined])[] {
    checkGroupName(name);
    const members = this.#groups.get(name)?.members() ?? [];
    return members.map(({ channel, attachment }) => [
      channel as GroupMember<Out>,
      attachment as Attachment | undefined,
    ]);
  }

  size(name: string): number {
    checkGroupName(name);
    return this.#groups.get(name)?.size ?? 0;
  }

  groups(): readonly string[] {
    return [...this.#groups.values()].flatMap(({ name, size }) => (size > 0 ? [name] : []));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#clock.clearTimer(this.#timer);
    for (const group of this.#groups.values()) group.expirePolls(Number.POSITIVE_INFINITY);
    for (const group of this.#groups.values()) {
      for (const member of group.members()) this.#leave(member);
      this.#streams.end(group);
    }
    this.#groups.clear();
    this.#watched.clear();
    this.#printLimit?.flush();
    await this.#streams.close();
  }

  /** @internal A channel that is answered once, with what came after `since`; after `parkMs` with 204. */
  poll(
    request: ChannelRequest | Request,
    name: string,
    since: string | null | undefined,
    parkMs: number,
    headers?: HeadersInput,
  ): Channel {
    checkGroupName(name);
    const park = (channel: Channel): void => {
      if (this.#isClosed) return void channel.close();
      const group = this.#make(name);
      this.#watch(group);
      const poll = new Poll(group, channel, since ?? undefined, this.#clock.now() + parkMs);
      group.add(poll);
      group.catchUp(poll, poll.since);
    };
    return withChannel(request, park, headers === undefined ? POLL_OPTIONS : { ...POLL_OPTIONS, headers });
  }

  /** What the codec makes of a value, for whatever carries it. */
  #encode(value: unknown): unknown {
    const { codec } = this.#options;
    if (codec === undefined || value === undefined || value instanceof PreparedMessage) return value;
    const body = callSync("codec.encode", () => codec.encode(value as Out));
    return codec.contentType === undefined ? body : { headers: { "Content-Type": codec.contentType }, body };
  }

  #make(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group(name, this.#groupOwner);
      this.#groups.set(name, group);
      this.#streams.begin(group);
    }
    return group;
  }

  /** One of our own channels tells its memberships of its end; of another kind it has to be asked for. */
  #join(member: Member): void {
    const { channel, group } = member;
    group.add(member);
    if (channel instanceof TransportChannel || this.#asked.has(channel)) return;
    this.#asked.add(channel);
    channel.onClose(() => {
      this.#asked.delete(channel);
      endMemberships(channel);
    });
  }

  #show(member: Member, payload: Uint8Array): void {
    if (member.isGone) return;
    const { group } = member;
    const mark = member instanceof Mark ? member : toMark(member);
    mark.presence ??= `${this.#presenceId}-${(this.#presenceCount += 1)}`;
    this.#streams.enter(group.name, { key: mark.presence, payload });
  }

  #leave(member: Member): void {
    const { group } = member;
    if (!group.remove(member)) return;
    if (member instanceof Mark && member.presence !== undefined) this.#streams.leave(group.name, member.presence);
    if (group.size === 0) {
      group.emptySinceMs = this.#clock.now();
      if (this.#streams.keeps(group, group.emptySinceMs)) this.#watch(group);
      else this.#drop(group);
    }
    if (!(member instanceof Poll)) this.#tell(this.#options.onLeave, member);
  }

  #drop(group: Group): void {
    // A message that alone is too much for all histories lets its own group go.
    if (this.#groups.get(group.name) !== group) return;
    this.#groups.delete(group.name);
    this.#watched.delete(group);
    this.#streams.end(group);
  }

  #watch(group: Group): void {
    this.#watched.add(group);
    if (this.#timer === undefined && !this.#isClosed) this.#timer = this.#clock.setTimer(() => this.#tick(), TICK_MS);
  }

  #tick(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    for (const group of this.#watched) {
      group.expirePolls(now);
      const isKept = this.#streams.keeps(group, now);
      if (isKept || group.hasMarks) continue;
      if (group.size === 0) this.#drop(group);
      else this.#watched.delete(group);
    }
    const [any] = this.#watched;
    if (any !== undefined) this.#watch(any);
  }

  #tell(handler: ChannelStoreOptions<Attachment, Out>["onJoin"], { group, channel, attachment }: Member): void {
    if (handler === undefined) return;
    void guard(
      () => handler(group.name, channel as GroupMember<Out>, attachment as Attachment | undefined),
      (error) => this.#report(error, group.name, channel),
    );
  }

  #report(error: unknown, group: string, channel?: AnyChannel): void {
    const { onError } = this.#options;
    if (onError === undefined) {
      this.#print(kindOf(error), `unichannel: error in group ${group}`, error);
      return;
    }
    // Who else is in the group, or leaves it, must not suffer for it.
    void guard(
      () => onError(error, { group, channel }),
      (second) => {
        const what = `unichannel: onError of a store has failed, at an error in group ${group}`;
        this.#print(`onError (${kindOf(second)})`, what, second, error);
      },
    );
  }

  /** Members come and go as clients please, and each may cause an error. */
  #print(kind: string, ...what: readonly unknown[]): void {
    this.#printLimit ??= new LogLimit(this.#clock, (of, count, windowMs) => {
      printError(`unichannel: ${count} more errors of groups (${of}) were left out in ${windowMs / 1000} s`);
    });
    if (this.#printLimit.admits(kind)) printError(...what);
  }
}

/** Each option that is given, and the default of each that is not, or is undefined. */
function withDefaults<T extends object>(defaults: T, given: Partial<T> = {}): T {
  return { ...defaults, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

/** Nothing more is known of a member that asks for nothing: most do not. */
function toMember<Out>(group: Group, channel: AnyChannel, options: JoinOptions<Out>): Member {
  const { since, ids = false, onReset, presence } = options;
  const isWaiting = since !== undefined && since !== null;
  if (!isWaiting && !ids && onReset === undefined) {
    return presence === undefined ? new Member(group, channel) : new Mark(group, channel);
  }
  const listener = new Listener(group, channel);
  listener.isWaiting = isWaiting;
  listener.isNumbered = ids;
  listener.tellsReset = isWaiting || ids;
  listener.onReset = onReset as Listener["onReset"];
  return listener;
}

/** From now on more is known of a member. */
function toMark(member: Member): Mark {
  const mark = new Mark(member.group, member.channel);
  mark.attachment = member.attachment;
  member.group.replace(member, mark);
  return mark;
}

function hasEnded(channel: AnyChannel): boolean {
  return channel instanceof TransportChannel && channel.hasEnded;
}

function presencePayload(info: unknown): Uint8Array {
  const text = JSON.stringify(info);
  if (text === undefined) throw new ChannelError("BAD_DATA", "JSON has no form for the presence");
  return utf8Bytes(text);
}

/** Encoded once for all, where that can be. What cannot be sent fails for each member, as its own send would. */
function toShared(data: unknown, count: number): SendData | undefined {
  if (data === undefined || count < 2) return undefined;
  const message = toSendData(data);
  try {
    return prepare(message);
  } catch {
    return message;
  }
}

/** To a poll, what is broadcast has no id; the next one asks after the same. */
function toPollAnswer(value: unknown, { since }: Poll): SendData {
  const body = `{"messages":[{${jsonMembers(toGroupMessage(value))}}],"next":${JSON.stringify(since ?? "")},"reset":false}`;
  return { headers: { "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store" }, body };
}
