// The store of groups, over any source of streams. It keeps contract C1–C6 of the seed's page and settles what that page leaves
// open: one member's failure never stops the others, event streams and WebSockets stay open, and a channel that closes leaves
// by itself.
// Long because all verbs share the groups and the one timer.

import { randomBytes } from "node:crypto";
import { utf8, utf8Bytes } from "../base/bytes.ts";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync, guard } from "../base/guard.ts";
import { kindOf, LogLimit } from "../base/log-limit.ts";
import { badOption } from "../base/option-values.ts";
import { printError } from "../base/print-error.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
import type { HeadersInput } from "../channel/headers.ts";
import { PreparedMessage } from "../channel/prepared-message.ts";
import { implementationOf } from "../channel/public-channel.ts";
import { prepare, type SendData } from "../channel/send-data.ts";
import { discardBody } from "../channel/source.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import { withChannel } from "../request/accept.ts";
import type { ChannelRequest } from "../request/request.ts";
import type {
  Broadcast,
  ChannelStore,
  ChannelStoreOptions,
  GroupHistory,
  GroupMember,
  JoinOptions,
  PresentMember,
  Publishable,
  PublishOptions,
} from "./channel-store.ts";
import { broadcastAnswer } from "./due-polls.ts";
import { EncodedEntries } from "./encoded-entries.ts";
import { Group, type GroupOwner } from "./group.ts";
import { HistoryBudget } from "./history-budget.ts";
import { type ListenerOptions, ListenerState, Member, type MemberState, PollState } from "./member.ts";
import { endMemberships } from "./memberships.ts";
import { toGroupMessage, toSendData } from "./message.ts";
import {
  checkGroupName,
  checkHistorySince,
  checkJoinOptions,
  checkMember,
  checkPublishOptions,
  checkStoreOptions,
} from "./store-options.ts";
import type { SourceOwner, StreamSource } from "./stream/source.ts";

/** Makes the message of each member. */
type Maker<Attachment, Out> = (channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown;

/** Enough time for a client to lose its network and come back. */
const DEFAULT_HISTORY = { size: 100, ttlMs: 60_000, maxBytes: 1024 * 1024, maxTotalBytes: 64 * 1024 * 1024 };
/** Interval for answering expired polls and removing unused groups. */
const TICK_MS = 1000;
const POLL_OPTIONS = { sse: false };
const NO_OPTIONS: PublishOptions & JoinOptions<never> = {};

export class GroupStore<Attachment = unknown, Out = Publishable> implements ChannelStore<Attachment, Out> {
  readonly #options: ChannelStoreOptions<Attachment, Out>;
  readonly #clock: Clock;
  readonly #source: StreamSource;
  /** The owner of all groups. */
  readonly #groupOwner: GroupOwner;
  readonly #groups = new Map<string, Group>();
  /** Channels of another implementation that will report their end. */
  readonly #asked = new WeakSet<AnyChannel>();
  /** Groups that the timer looks at. */
  readonly #watched = new Set<Group>();
  readonly #presenceId: string = randomBytes(8).toString("hex");
  #presenceCount = 0;
  #timer: Timer | undefined;
  #isClosed = false;
  /** Created by the first error that is printed. */
  #printLimit: LogLimit | undefined;

  /** @internal Applications call `createChannelStore`. */
  constructor(options: ChannelStoreOptions<Attachment, Out>, makeSource: (owner: SourceOwner) => StreamSource) {
    checkStoreOptions(options);
    const { clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    const history = withDefaults(DEFAULT_HISTORY, options.history);
    this.#source = makeSource({
      clock,
      history,
      budget: new HistoryBudget(history.maxTotalBytes),
      openGroup: (name) => void this.#make(name),
      emptied: (name) => {
        const group = this.#groups.get(name);
        if (group?.size === 0) this.#drop(group);
      },
      report: (error, group) => this.#report(error, group),
    });
    this.#groupOwner = {
      source: this.#source,
      encoded: new EncodedEntries(),
      watch: (group) => this.#watch(group),
      memberEnded: (member) => this.#leave(member),
      report: (error, group, channel) => this.#report(error, group, channel),
    };
  }

  addToGroup(
    name: string,
    channel: GroupMember<Out>,
    attachment?: Attachment,
    options: JoinOptions<Out> = NO_OPTIONS,
  ): void {
    checkGroupName(name);
    checkMember("the second argument of addToGroup", channel);
    if (options !== NO_OPTIONS) checkJoinOptions(options);
    // A closed channel never fires its close callbacks again, so it could not be removed.
    if (this.#isClosed || hasEnded(channel)) return;
    const info = options.presence === undefined ? undefined : presencePayload(options.presence);
    const group = this.#make(name);
    const known = group.find(channel);
    const member = known ?? new Member(group, channel, toState(options));
    member.attachment = attachment;
    if (known === undefined) this.#join(group, member);
    if (info !== undefined) this.#show(group, member, info);
    if (known !== undefined || member.hasLeft) return;
    this.#tell(this.#options.onJoin, group, member);
    const { since } = options;
    if (since === undefined || since === null || member.state === undefined || member.hasLeft) return;
    group.catchUp(member, member.state, since);
  }

  removeFromGroup(name: string, channel: AnyChannel): boolean {
    const member = this.#groups.get(name)?.find(channel);
    if (member === undefined) return false;
    this.#leave(member);
    return true;
  }

  broadcast(name: string, data: Broadcast<Attachment, Out>, options?: undefined): number {
    checkGroupName(name);
    if (options !== undefined) {
      throw badOption(
        "broadcast takes no options; publish has `except`, and a function of broadcast may return undefined",
      );
    }
    const members = this.#groups.get(name)?.members() ?? [];
    const make = typeof data === "function" ? (data as Maker<Attachment, Out>) : undefined;
    const common = make === undefined ? this.#encode(data) : undefined;
    const shared = toShared(common, members.length);
    if (members.length === 0) discardBody(common);
    let reached = 0;
    // Copies: members join, leave and change their attachments while their callbacks run.
    const attachments = make === undefined ? [] : members.map(({ attachment }) => attachment as Attachment | undefined);
    for (const [index, member] of members.entries()) {
      const channel = member.channel as GroupMember<Out>;
      try {
        const value =
          make === undefined
            ? common
            : this.#encode(callSync("the function of broadcast", () => make(channel, attachments[index])));
        if (value === undefined) continue;
        // A callback may have removed the member. It is served all the same, as in the seed's store.
        const state = member.hasLeft ? undefined : member.state;
        const message =
          state instanceof PollState ? broadcastAnswer(toGroupMessage(value), state) : (shared ?? toSendData(value));
        if (sendRaw(channel, message)) reached += 1;
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
    // Everything happens within the call: `async` only turns an exception into a rejection.
    try {
      checkGroupName(name);
      if (options !== NO_OPTIONS) checkPublishOptions(options);
      const { except } = options;
      if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
      const published = this.#source.publish(name, toGroupMessage(this.#encode(message)), except);
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
    const { entries, reset } = await this.#source.history(name, since ?? "");
    return { messages: entries.map((entry) => entry.toHistory()), reset };
  }

  async presence(name: string): Promise<readonly PresentMember[]> {
    checkGroupName(name);
    const members = await this.#source.present(name);
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
      group.end();
    }
    this.#groups.clear();
    this.#watched.clear();
    this.#printLimit?.flush();
    await this.#source.close();
  }

  /** @internal A channel that is answered once with the messages after `since`, or after `parkMs` with 204. */
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
      const state = new PollState(since ?? undefined, this.#clock.now() + parkMs);
      const member = new Member(group, channel, state);
      group.add(member);
      group.catchUp(member, state, state.since);
    };
    return withChannel(request, park, headers === undefined ? POLL_OPTIONS : { ...POLL_OPTIONS, headers });
  }

  /** Encodes a value with the store's codec. */
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
      group.open();
    }
    return group;
  }

  /** Adds a member. A channel of ours reports its end to its memberships; any other channel is asked to report it. */
  #join(group: Group, member: Member): void {
    const { channel } = member;
    group.add(member);
    if (implementationOf(channel) !== undefined || this.#asked.has(channel)) return;
    this.#asked.add(channel);
    channel.onClose(() => {
      this.#asked.delete(channel);
      endMemberships(channel);
    });
  }

  /** Lists a member as present. */
  #show(group: Group, member: Member, payload: Uint8Array): void {
    if (member.hasLeft) return;
    member.state ??= new ListenerState();
    // Polls do not join, so they cannot be listed.
    if (!(member.state instanceof ListenerState)) return;
    member.state.presenceKey ??= `${this.#presenceId}-${(this.#presenceCount += 1)}`;
    this.#source.enter(group.name, { key: member.state.presenceKey, payload });
  }

  #leave(member: Member): void {
    const { state } = member;
    const group = member.group as Group;
    if (!group.remove(member)) return;
    const presenceKey = state instanceof ListenerState ? state.presenceKey : undefined;
    if (presenceKey !== undefined) this.#source.leave(group.name, presenceKey);
    if (group.size === 0) {
      const now = this.#clock.now();
      group.emptied(now);
      if (group.stream.expire(now, now)) this.#watch(group);
      else this.#drop(group);
    }
    if (!(state instanceof PollState)) this.#tell(this.#options.onLeave, group, member);
  }

  #drop(group: Group): void {
    // A message that is too large for all histories together drops its own group.
    if (this.#groups.get(group.name) !== group) return;
    this.#groups.delete(group.name);
    this.#watched.delete(group);
    group.end();
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
      const isKept = group.stream.expire(now, group.emptySinceMs);
      if (isKept || group.hasPolls) continue;
      if (group.size === 0) this.#drop(group);
      else this.#watched.delete(group);
    }
    const [any] = this.#watched;
    if (any !== undefined) this.#watch(any);
  }

  #tell(handler: ChannelStoreOptions<Attachment, Out>["onJoin"], { name }: Group, member: Member): void {
    if (handler === undefined) return;
    const { channel, attachment } = member;
    void guard(
      () => handler(name, channel as GroupMember<Out>, attachment as Attachment | undefined),
      (error) => this.#report(error, name, channel),
    );
  }

  #report(error: unknown, group: string, channel?: AnyChannel): void {
    const { onError } = this.#options;
    if (onError === undefined) {
      this.#print(kindOf(error), `unichannel: error in group ${group}`, error);
      return;
    }
    // An `onError` that fails must not stop a delivery, or keep a member from leaving.
    void guard(
      () => onError(error, { group, channel }),
      (second) => {
        const what = `unichannel: onError of a store has failed, at an error in group ${group}`;
        this.#print(`onError (${kindOf(second)})`, what, second, error);
      },
    );
  }

  /** Clients decide how often members come and go, and each of them may cause an error. */
  #print(kind: string, ...what: readonly unknown[]): void {
    this.#printLimit ??= new LogLimit(this.#clock, (of, count, windowMs) => {
      printError(`unichannel: ${count} more errors of groups (${of}) were left out in ${windowMs / 1000} s`);
    });
    if (this.#printLimit.admits(kind)) printError(...what);
  }
}

/** Returns the options that are given, and the default of each that is missing or undefined. */
function withDefaults<T extends object>(defaults: T, given: Partial<T> = {}): T {
  return { ...defaults, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

/** Returns undefined for most members: those that join without options have no state. */
function toState<Out>({ since, ids = false, onReset }: JoinOptions<Out>): MemberState | undefined {
  const isCatchingUp = since !== undefined && since !== null;
  if (!isCatchingUp && !ids && onReset === undefined) return undefined;
  const tellsReset = isCatchingUp || ids;
  const state = new ListenerState({ withIds: ids, tellsReset, onReset: onReset as ListenerOptions["onReset"] });
  state.isCatchingUp = isCatchingUp;
  return state;
}

function hasEnded(channel: AnyChannel): boolean {
  return implementationOf(channel)?.hasEnded === true;
}

function presencePayload(info: unknown): Uint8Array {
  const text = JSON.stringify(info);
  if (text === undefined) throw new ChannelError("BAD_DATA", "JSON has no form for the presence");
  return utf8Bytes(text);
}

/**
 * Encodes a message once for all members where possible. A message that cannot be sent fails for each member, as its own send
 * would.
 */
function toShared(data: unknown, count: number): SendData | undefined {
  if (data === undefined || count < 2) return undefined;
  const message = toSendData(data);
  try {
    return prepare(message);
  } catch {
    return message;
  }
}
