// The store of groups, over any source of streams: it checks arguments, publishes, and has the verbs of the other files of
// this folder. It keeps contract C1–C6 of the seed's page, which leaves some points open: here a failure of one member never
// stops the others, event streams and WebSockets stay open, and a channel that closes leaves its groups.

import { type Clock, systemClock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { badOption, checkOptions } from "../base/option-values.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
import { implementationOf } from "../channel/public-channel.ts";
import { discardBody } from "../channel/source.ts";
import { broadcastTo } from "./broadcast.ts";
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
import { EncodedEntries } from "./encoded-entries.ts";
import type { Group } from "./group.ts";
import { Groups } from "./groups.ts";
import { HistoryBudget } from "./history-budget.ts";
import type { Member } from "./member.ts";
import { encodeWith, type StoreCodec, toGroupMessage } from "./message.ts";
import { Presence } from "./presence.ts";
import { StoreErrors } from "./store-errors.ts";
import { type MovedMember, StoreMembers } from "./store-members.ts";
import {
  checkGroupName,
  checkHistorySince,
  checkMember,
  JOIN_OPTIONS,
  PUBLISH_OPTIONS,
  STORE_OPTIONS,
  toHistoryLimits,
} from "./store-options.ts";
import type { SourceOwner, StreamSource } from "./stream/source.ts";
import { tellCursor } from "./tell-cursor.ts";

const NO_OPTIONS: PublishOptions & JoinOptions<never> = {};

export class GroupStore<Attachment = unknown, Out = Publishable> implements ChannelStore<Attachment, Out> {
  readonly #codec: StoreCodec;
  readonly #clock: Clock;
  readonly #source: StreamSource;
  readonly #groups: Groups;
  readonly #members: StoreMembers<Attachment, Out>;
  readonly #presence: Presence;
  readonly #errors: StoreErrors;
  #isClosed = false;

  /** @internal Applications call `createChannelStore`. */
  constructor(options: ChannelStoreOptions<Attachment, Out>, makeSource: (owner: SourceOwner) => StreamSource) {
    checkOptions("createChannelStore", options, STORE_OPTIONS);
    const { clock = systemClock, codec, onJoin, onLeave, onError } = options;
    this.#codec = codec;
    this.#clock = clock;
    this.#errors = new StoreErrors(clock, onError);
    const { report } = this.#errors;
    const history = toHistoryLimits(options.history);
    this.#source = makeSource({
      clock,
      history,
      budget: new HistoryBudget(history.maxTotalBytes),
      historyDropped: (name) => this.#groups.historyDropped(name),
      report,
    });
    this.#presence = new Presence(this.#source);
    this.#groups = new Groups(clock, {
      source: this.#source,
      encoded: new EncodedEntries(),
      memberEnded: (member) => this.#members.leave(member),
      report,
    });
    this.#members = new StoreMembers({ groups: this.#groups, presence: this.#presence, onJoin, onLeave, report });
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
    this.#members.join(name, channel, attachment, options);
  }

  removeFromGroup(name: string, channel: AnyChannel): boolean {
    const member = this.#groups.find(name)?.find(channel);
    if (member === undefined) return false;
    this.#members.leave(member);
    tellCursor(member, name, {});
    return true;
  }

  broadcast(name: string, data: Broadcast<Attachment, Out>, options?: undefined): number {
    checkGroupName(name);
    if (options !== undefined) {
      throw badOption(
        "broadcast takes no options; publish has `except`, and a function of broadcast may return undefined",
      );
    }
    return broadcastTo(this.#groups.find(name)?.members() ?? [], data, {
      codec: this.#codec,
      report: (error, { channel }) => this.#errors.report(error, name, channel),
    });
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
      const converted = toGroupMessage(encodeWith(this.#codec, message));
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
      for (const member of group.members()) this.#members.leave(member);
    });
    this.#errors.flush();
    await this.#source.close();
  }

  /** @internal True for a member of one of its groups. */
  has(member: Member): boolean {
    const group = member.group as Group;
    return this.#groups.find(group.name) === group;
  }

  /** @internal See `StoreMembers`. */
  moveOut(member: Member): MovedMember {
    return this.#members.moveOut(member);
  }

  /** @internal See `StoreMembers`. */
  moveIn(channel: AnyChannel, moved: MovedMember): void {
    if (!this.#isClosed) this.#members.moveIn(channel, moved);
  }

  /** @internal Parks the request of a long poll: its channel is answered once, with messages after `since` or, after `parkMs`, 204. */
  park(name: string, channel: Channel, since: string | undefined, parkMs: number): void {
    if (this.#isClosed) channel.close();
    else this.#groups.open(name).park(channel, since, this.#clock.now() + parkMs);
  }
}
