// The store of groups, over any source of streams: it checks arguments, publishes, and has the verbs of the other files of
// this folder. It keeps contract C1–C6 of the seed's page, which leaves some points open: here a failure of one member never
// stops the others, event streams and WebSockets stay open, and a channel that closes leaves its groups.
// Long because it has all verbs of a store, each with its checks.

import { type Clock, systemClock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { badOption, checkOptions } from "../base/option-values.ts";
import { within } from "../base/within.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
import { checkClose, implementationOf } from "../channel/public-channel.ts";
import { discardBody } from "../channel/source.ts";
import type { StreamMessage } from "../protocol/stream-message.ts";
import { broadcastTo } from "./broadcast.ts";
import type {
  Broadcast,
  ChannelStore,
  ChannelStoreOptions,
  DisconnectOptions,
  GroupHistory,
  JoinOptions,
  MoveOptions,
  PartOf,
  PresenceHandlers,
  PresentMember,
  PublishOptions,
} from "./channel-store.ts";
import type { Control } from "./control.ts";
import { EncodedEntries } from "./encoded-entries.ts";
import type { Group } from "./group.ts";
import type { GroupMember, Publishable } from "./group-member.ts";
import { Groups } from "./groups.ts";
import { HistoryBudget } from "./history-budget.ts";
import { withKey } from "./latest.ts";
import type { Member } from "./member.ts";
import { encodeWith, type StoreCodec, toGroupMessage } from "./message.ts";
import { Presence } from "./presence.ts";
import { Publications } from "./publications.ts";
import { type Keep, Producers } from "./published/producers.ts";
import {
  checkPartSource,
  type PartSource,
  PUBLISH_STREAM_OPTIONS,
  type PublishStreamOptions,
  type StreamResult,
} from "./published/publish-stream.ts";
import { States } from "./states.ts";
import { StoreErrors } from "./store-errors.ts";
import { type MovedMember, StoreMembers } from "./store-members.ts";
import {
  checkGroupName,
  checkGroupNames,
  checkHistorySince,
  checkMember,
  DISCONNECT_OPTIONS,
  JOIN_OPTIONS,
  MOVE_OPTIONS,
  PRESENCE_HANDLERS,
  PUBLISH_OPTIONS,
  STORE_OPTIONS,
  toHistoryLimits,
} from "./store-options.ts";
import { toLifeListener } from "./stream/group-lives.ts";
import type { PublishTo, SourceOwner, StreamSource } from "./stream/source.ts";
import { tellCursor } from "./tell-cursor.ts";
import { WatchedGroups } from "./watched-groups.ts";

/** Time that `lastId` waits for the backplane. */
const LAST_ID_MS = 10_000;

const NO_STREAM_OPTIONS: PublishStreamOptions = {};
const NO_OPTIONS: PublishOptions & JoinOptions<never> & DisconnectOptions & MoveOptions = {};

export class GroupStore<Attachment = unknown, Out = Publishable> implements ChannelStore<Attachment, Out> {
  /** @internal Its groups and messages, for those who only look. */
  readonly watched: WatchedGroups;
  readonly #codec: StoreCodec;
  readonly #clock: Clock;
  readonly #source: StreamSource;
  readonly #groups: Groups;
  readonly #members: StoreMembers<Attachment, Out>;
  readonly #presence: Presence;
  readonly #errors: StoreErrors;
  readonly #publications = new Publications();
  readonly #keyOf: ((data: never) => unknown) | undefined;
  readonly #producers: Producers;
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
    this.#keyOf = options.history?.latest;
    this.#source = makeSource({
      clock,
      history,
      lives: toLifeListener(options, report),
      hasCounts: options.counts === true,
      keepsLatest: this.#keyOf !== undefined,
      budget: new HistoryBudget(history.maxTotalBytes),
      publications: this.#publications,
      historyDropped: (name) => this.#groups.historyDropped(name),
      report,
    });
    this.#presence = new Presence(this.#source);
    const states = new States({ clock, codec: this.#codec, report });
    const { counts, lives } = this.#source;
    const hasNoWatchers = counts === undefined && lives === undefined;
    this.#groups = new Groups(clock, {
      source: this.#source,
      encoded: new EncodedEntries(),
      startsWithValues: this.#keyOf !== undefined,
      memberEnded: (member) => this.#members.leave(member),
      sizeChanged: hasNoWatchers
        ? undefined
        : ({ name, size, pollCount }) => {
            counts?.changed(name, size);
            lives?.changed(name, size > pollCount);
          },
      carryOut: (member, control) => {
        if (!this.#isClosed) this.#members.carryOut(member, control);
      },
      ask: (group, member, asked) => states.ask(group, member, asked),
      stopStream: (group, stream) => this.#producers.stopAsked(group, stream),
      report,
    });
    this.#producers = new Producers({
      ...{ clock, history, leases: this.#source.leases, report },
      publish: (group, message, keep) => this.#publishPart(group, message, keep),
      askToStop: (group, stream) => this.#control(group, { kind: "stop", stream }),
      hold: (group) => this.#groups.hold(group),
    });
    this.watched = new WatchedGroups(this.#groups);
    this.#members = new StoreMembers({
      ...{ groups: this.#groups, presence: this.#presence, states, onJoin, onLeave, report },
      keep: (group) => lives?.keep(group),
    });
  }

  addToGroup(
    name: string,
    channel: GroupMember<Out>,
    attachment?: Attachment,
    options: JoinOptions<Out> = NO_OPTIONS as JoinOptions<Out>,
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

  publish(name: string, message: unknown, options?: PublishOptions): Promise<{ readonly id: string }>;
  publish(
    names: readonly string[],
    message: unknown,
    options?: PublishOptions,
  ): Promise<{ readonly ids: readonly string[] }>;
  async publish(
    name: string | readonly string[],
    message: unknown,
    options: PublishOptions = NO_OPTIONS,
  ): Promise<{ readonly id: string } | { readonly ids: readonly string[] }> {
    // Everything happens within the call: `async` only turns an exception into a rejection.
    try {
      if (typeof name !== "string" && Array.isArray(name)) checkGroupNames(name);
      else checkGroupName(name);
      if (options !== NO_OPTIONS) checkOptions("publish", options, PUBLISH_OPTIONS);
      const { except } = options;
      if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
      const plain = toGroupMessage(encodeWith(this.#codec, message));
      const converted = this.#keyOf === undefined ? plain : withKey(plain, this.#keyOf, message);
      if (typeof name !== "string") return { ids: await this.#publishAll(name, this.#source.share(converted, except)) };
      const group = this.#source.keepsHistory ? this.#groups.open(name) : this.#groups.find(name);
      return { id: await (group?.stream.publish(converted, except) ?? this.#source.publish(name, converted)) };
    } catch (error) {
      // A stream cannot be published, so it is cancelled.
      discardBody(message);
      throw error;
    }
  }

  /** Publishes to all groups within the call. Rejects with the first error when all have settled. */
  async #publishAll(names: readonly string[], publishTo: PublishTo): Promise<readonly string[]> {
    const { keepsHistory } = this.#source;
    const calls = names.map((name) => {
      const group = keepsHistory ? this.#groups.open(name) : this.#groups.find(name);
      return publishTo(name, group?.stream);
    });
    await Promise.allSettled(calls);
    return Promise.all(calls);
  }

  async publishStream(
    name: string,
    source: PartSource<PartOf<Out>>,
    options: PublishStreamOptions = NO_STREAM_OPTIONS,
  ): Promise<StreamResult> {
    try {
      checkGroupName(name);
      checkPartSource(source);
      checkOptions("publishStream", options, PUBLISH_STREAM_OPTIONS);
    } catch (error) {
      discardBody(source);
      throw error;
    }
    return this.#producers.publish(name, source as PartSource<unknown>, options);
  }

  async stopStream(name: string): Promise<boolean> {
    checkGroupName(name);
    return this.#producers.stop(name);
  }

  /** Publishes also while the store is closed: the end of a stream. */
  async #publishPart(name: string, message: StreamMessage, keep: Keep): Promise<string> {
    const converted = toGroupMessage(encodeWith(this.#codec, message));
    const place = "end" in message ? "end" : "part";
    return this.#source.part({ message: converted, keep, place })(name, this.#groups.find(name)?.stream);
  }

  async disconnect(name: string, options: DisconnectOptions = NO_OPTIONS): Promise<{ readonly id: string }> {
    checkGroupName(name);
    if (options !== NO_OPTIONS) checkOptions("disconnect", options, DISCONNECT_OPTIONS);
    const { code = 1000, reason = "", where } = options;
    checkClose(code, reason);
    return this.#control(name, { kind: "disconnect", code, reason, where });
  }

  async move(from: string, to: string, options: MoveOptions = NO_OPTIONS): Promise<{ readonly id: string }> {
    checkGroupName(from);
    checkGroupName(to);
    if (from === to) throw badOption("move got the same group twice; name two groups");
    if (options !== NO_OPTIONS) checkOptions("move", options, MOVE_OPTIONS);
    const { keep = false, where } = options;
    return this.#control(from, { kind: "move", to, keep, where });
  }

  async #control(name: string, control: Control): Promise<{ readonly id: string }> {
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
    return { id: await this.#source.control(control)(name, this.#groups.find(name)?.stream) };
  }

  async history(name: string, since?: string | null): Promise<GroupHistory> {
    checkGroupName(name);
    checkHistorySince(since);
    const { entries, reset } = await this.#source.history(name, since ?? "");
    return { messages: entries.map((entry) => entry.toHistory()), reset };
  }

  async lastId(name: string): Promise<string> {
    checkGroupName(name);
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
    const group = this.#groups.open(name);
    const start = group.stream.start();
    try {
      return (start instanceof Promise ? await lastIdOf(start, group, this.#clock) : start) ?? "";
    } finally {
      // It is kept for a while: who asks for a place in the stream soon comes back with it.
      if (this.#groups.find(name) === group) this.#groups.memberLeft(group);
    }
  }

  async presence(name: string): Promise<readonly PresentMember[]> {
    checkGroupName(name);
    return this.#presence.list(name, this.#errors.report);
  }

  watchPresence(name: string, handlers: PresenceHandlers): () => void {
    checkGroupName(name);
    checkOptions("watchPresence", handlers, PRESENCE_HANDLERS);
    if (this.#isClosed) return () => {};
    // A copy: the same object may watch twice.
    return this.#presence.watch(name, { ...handlers }, this.#errors.report);
  }

  async count(name: string): Promise<number> {
    checkGroupName(name);
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
    const { counts } = this.#source;
    if (counts !== undefined) return counts.count(name, this.size(name));
    if (this.#source.isShared) throw badOption("count needs createChannelStore({ counts: true }) in every process");
    return this.size(name);
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
    const streamsEnded = this.#producers.close();
    if (streamsEnded !== undefined) await streamsEnded;
    this.#groups.close((group) => {
      for (const member of group.members()) this.#members.leave(member);
    });
    this.#presence.close();
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

  /** @internal See `Publications`. */
  receivedBy(channel: AnyChannel): readonly string[] {
    return this.#publications.receivedBy(channel);
  }

  /** @internal A channel from another process has received these publications there. */
  hasReceived(channel: AnyChannel, keys: readonly string[]): void {
    for (const key of keys) this.#publications.open(key).isFirstFor(channel);
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

/** Waits for the position of a stream that is being opened. */
async function lastIdOf(
  start: Promise<string | undefined>,
  { stream }: Group,
  clock: Clock,
): Promise<string | undefined> {
  await within(clock, LAST_ID_MS, start);
  const { position } = stream;
  if (position === undefined)
    throw new ChannelError("BACKPLANE_UNAVAILABLE", "the group could not be subscribed in time");
  return position;
}
