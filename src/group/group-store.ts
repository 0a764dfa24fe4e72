// The store of groups, over any source of streams. It keeps contract C1–C6 of the seed's page, which leaves some points
// open: here a failure of one member never stops the others, event streams and WebSockets stay open, and a channel that closes
// leaves its groups.

import { type Clock, systemClock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { callSync, guard } from "../base/guard.ts";
import { badOption, checkOptions } from "../base/option-values.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
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
import type { Group } from "./group.ts";
import { Groups } from "./groups.ts";
import { HistoryBudget } from "./history-budget.ts";
import { type ListenerOptions, ListenerState, Member, type MemberState, PollState } from "./member.ts";
import { endMemberships } from "./memberships.ts";
import { toGroupMessage, toSendData } from "./message.ts";
import { Presence, presencePayload } from "./presence.ts";
import { StoreErrors } from "./store-errors.ts";
import {
  checkGroupName,
  checkHistorySince,
  checkMember,
  JOIN_OPTIONS,
  type PollSettings,
  PUBLISH_OPTIONS,
  STORE_OPTIONS,
} from "./store-options.ts";
import type { SourceOwner, StreamSource } from "./stream/source.ts";

/** Makes the message of each member. */
type Maker<Attachment, Out> = (channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown;

/** Enough time for a client to lose its network and come back. */
const DEFAULT_HISTORY = { size: 100, ttlMs: 60_000, maxBytes: 1024 * 1024, maxTotalBytes: 64 * 1024 * 1024 };
const POLL_OPTIONS = { sse: false };
const NO_OPTIONS: PublishOptions & JoinOptions<never> = {};

export class GroupStore<Attachment = unknown, Out = Publishable> implements ChannelStore<Attachment, Out> {
  readonly #options: ChannelStoreOptions<Attachment, Out>;
  readonly #clock: Clock;
  readonly #source: StreamSource;
  readonly #groups: Groups;
  readonly #errors: StoreErrors;
  /** Channels of another implementation whose `onClose` has been called. */
  readonly #asked = new WeakSet<AnyChannel>();
  readonly #presence: Presence;
  #isClosed = false;

  /** @internal Applications call `createChannelStore`. */
  constructor(options: ChannelStoreOptions<Attachment, Out>, makeSource: (owner: SourceOwner) => StreamSource) {
    checkOptions("createChannelStore", options, STORE_OPTIONS);
    const { clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#errors = new StoreErrors(clock, options.onError);
    const { report } = this.#errors;
    const history = withDefaults(DEFAULT_HISTORY, options.history);
    this.#source = makeSource({
      clock,
      history,
      budget: new HistoryBudget(history.maxTotalBytes),
      emptied: (name) => this.#groups.historyDropped(name),
      report,
    });
    this.#presence = new Presence(this.#source);
    this.#groups = new Groups(clock, {
      source: this.#source,
      encoded: new EncodedEntries(),
      memberEnded: (member) => this.#leave(member),
      report,
    });
  }

  addToGroup(
    name: string,
    channel: GroupMember<Out>,
    attachment?: Attachment,
    options: JoinOptions<Out> = NO_OPTIONS,
  ): void {
    checkGroupName(name);
    checkMember("the second argument of addToGroup", channel);
    if (options !== NO_OPTIONS) checkOptions("addToGroup", options, JOIN_OPTIONS);
    // A closed channel never fires its close callbacks again, so it could not be removed.
    if (this.#isClosed || implementationOf(channel)?.hasEnded === true) return;
    const info = options.presence === undefined ? undefined : presencePayload(options.presence);
    const group = this.#groups.open(name);
    const known = group.find(channel);
    const member = known ?? new Member(group, channel, toState(options));
    member.attachment = attachment;
    if (known === undefined) this.#join(group, member);
    if (info !== undefined) this.#presence.enter(name, member, info);
    if (known !== undefined || member.hasLeft) return;
    this.#tell(this.#options.onJoin, group, member);
    const { since } = options;
    if (since === undefined || since === null || member.state === undefined || member.hasLeft) return;
    group.catchUp(member, member.state, since);
  }

  removeFromGroup(name: string, channel: AnyChannel): boolean {
    const member = this.#groups.find(name)?.find(channel);
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
    const members = this.#groups.find(name)?.members() ?? [];
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
        // A callback may have removed the member. It receives the message nevertheless, as in the seed's store.
        const state = member.hasLeft ? undefined : member.state;
        const message =
          state instanceof PollState ? broadcastAnswer(toGroupMessage(value), state) : (shared ?? toSendData(value));
        if (sendRaw(channel, message)) reached += 1;
      } catch (error) {
        this.#errors.report(error, name, channel);
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
      if (options !== NO_OPTIONS) checkOptions("publish", options, PUBLISH_OPTIONS);
      const { except } = options;
      if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
      const converted = toGroupMessage(this.#encode(message));
      const group = this.#source.keepsHistory ? this.#groups.open(name) : this.#groups.find(name);
      return { id: await (group?.stream.publish(converted, except) ?? this.#source.publish(name, converted)) };
    } catch (error) {
      // A stream cannot be published, so it is cancelled.
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
    return this.#presence.list(name, this.#errors.report);
  }

  members(name: string): readonly (readonly [GroupMember<Out>, Attachment | undefined])[] {
    checkGroupName(name);
    return (this.#groups.find(name)?.members() ?? []).map(({ channel, attachment }) => [
      channel as GroupMember<Out>,
      attachment as Attachment | undefined,
    ]);
  }

  size(name: string): number {
    checkGroupName(name);
    return this.#groups.find(name)?.size ?? 0;
  }

  groups(): readonly string[] {
    return this.#groups.all().flatMap(({ name, size }) => (size > 0 ? [name] : []));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#groups.close((group) => {
      for (const member of group.members()) this.#leave(member);
    });
    this.#errors.flush();
    await this.#source.close();
  }

  /** @internal A channel that is answered once with the messages after `since`, or after `parkMs` with 204. */
  poll(request: ChannelRequest | Request, name: string, { since, parkMs, headers }: PollSettings): Channel {
    checkGroupName(name);
    const park = (channel: Channel): void => {
      if (this.#isClosed) return void channel.close();
      const group = this.#groups.open(name);
      this.#groups.watch(group);
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

  /** Adds a member. Our own channels report their end to their memberships; other implementations are asked with `onClose`. */
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

  #leave(member: Member): void {
    const group = member.group as Group;
    if (!group.remove(member)) return;
    this.#presence.leave(group.name, member);
    this.#groups.memberLeft(group);
    if (!(member.state instanceof PollState)) this.#tell(this.#options.onLeave, group, member);
  }

  #tell(handler: ChannelStoreOptions<Attachment, Out>["onJoin"], { name }: Group, member: Member): void {
    if (handler === undefined) return;
    const { channel, attachment } = member;
    void guard(
      () => handler(name, channel as GroupMember<Out>, attachment as Attachment | undefined),
      (error) => this.#errors.report(error, name, channel),
    );
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
