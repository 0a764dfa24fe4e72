// The contract of a store of groups: who belongs together, and what all of them hear. The seed's three verbs, and what it
// left open: history, every process, presence. `group-store.ts` keeps it.

import type { Backplane, HistoryLimits } from "../backplane/backplane.ts";
import type { Clock } from "../base/clock.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
import type { PreparedMessage } from "../channel/prepared-message.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { HistoryMessage } from "./message.ts";

/** A channel that is a member: with a codec one that sends what the store publishes. */
export type GroupMember<Out = unknown> = unknown extends Out ? Channel : Channel<unknown, Out>;

/** Data for all members, or a function that makes it for each member and may return `undefined` to send that member nothing. */
export type Broadcast<Attachment, Out = unknown> =
  // Not `unknown`: that would swallow the function's type, and with it the types of its parameters.
  | (unknown extends Out ? object | string | number | boolean | null | undefined : Out | PreparedMessage)
  | ((channel: GroupMember<Out>, attachment: Attachment | undefined) => Out | PreparedMessage | undefined);

/** The options of `addToGroup`. */
export interface JoinOptions<Out = unknown> {
  /**
   * The id of the last message that the client has had: what came after it is sent first, in order, before anything new.
   * Null and undefined: the channel hears what is published from now on. An empty string: all that is kept.
   * If that is not all there any more, or the id is unknown, the channel is told (`onReset`), and then gets what is kept.
   */
  readonly since?: string | null | undefined;
  /**
   * Each message comes as JSON with its id, `{ "group", "id", "data" }`: for clients that are no event source and want to
   * come back with `since`. An event stream has ids by itself. @default false
   */
  readonly ids?: boolean | undefined;
  /**
   * Called when messages are lost for this channel, before what is kept. Without it an event stream gets an event of the
   * type `reset`, and a channel with `ids` or `since` the JSON text `{ "group", "reset": true }`.
   */
  readonly onReset?: ((channel: GroupMember<Out>) => unknown) | undefined;
  /** Makes the channel one of those that `presence` lists, with this value as its `info`. JSON. @default it is not listed */
  readonly presence?: unknown;
}

/** The options of `publish`. */
export interface PublishOptions {
  /** A member that does not receive it, usually its sender. The history has it all the same. */
  readonly except?: AnyChannel | undefined;
}

/** The result of `history`. */
export interface GroupHistory {
  /** Oldest first. */
  readonly messages: readonly HistoryMessage[];
  /** True if messages after `since` are missing, or the id is unknown; `messages` is all that is kept then. */
  readonly reset: boolean;
}

/** A member that is listed as present, in any process. */
export interface PresentMember {
  /** Unique among all processes, for as long as it is a member. */
  readonly key: string;
  /** The value that the member joined with as `presence`. */
  readonly info: unknown;
}

/** `Out`: what is published, as the store's codec has it; without one anything that JSON has a form for. */
export interface ChannelStore<Attachment = unknown, Out = unknown> {
  /**
   * Adds a channel; the same channel again replaces its attachment. It leaves by itself when it closes,
   * before its close callbacks run.
   * Throws BAD_OPTION for a group's name of more than 1,024 bytes.
   */
  addToGroup(group: string, channel: GroupMember<Out>, attachment?: Attachment, options?: JoinOptions<Out>): void;
  /** Removes a channel: true if it was there. An empty group is dropped. */
  removeFromGroup(group: string, channel: AnyChannel): boolean;
  /**
   * Sends to all who are members in this process now; returns to how many. It has no id and stays in no history. Plain HTTP
   * channels get it as their answer and are closed, the rest stay open. Text, bytes and `{ status, headers, body }` are
   * sent as they are, any other value as JSON; with a codec all but what `prepare` made goes through it. Throws BAD_MESSAGE.
   */
  broadcast(group: string, data: Broadcast<Attachment, Out>): number;
  /**
   * Sends to all members, in every process of the backplane, and keeps it in the group's history. Text, bytes, `json(value)`
   * and `event({ data, event })` are sent as they are, any other value as JSON. Without a backplane the members have it when
   * the call returns. Rejects with BAD_DATA for streams, a status, or headers other than Content-Type, with BAD_OPTION for a
   * group's name of more than 1,024 bytes, and with BACKPLANE_UNAVAILABLE when it is not known to have been published. With a
   * codec all but what `prepare` made goes through it: rejects with BAD_MESSAGE.
   */
  publish(group: string, message: Out | PreparedMessage, options?: PublishOptions): Promise<{ readonly id: string }>;
  /** Resolves with the messages published after `since`, or with all that are kept. Rejects with BACKPLANE_UNAVAILABLE. */
  history(group: string, since?: string | null): Promise<GroupHistory>;
  /** Resolves with the members that joined with `presence`, in every process of the backplane. Rejects with BACKPLANE_UNAVAILABLE. */
  presence(group: string): Promise<readonly PresentMember[]>;
  /** The members in this process and their attachments, as they are now, in no order. */
  members(group: string): readonly (readonly [channel: GroupMember<Out>, attachment: Attachment | undefined])[];
  /** How many members the group has in this process. */
  size(group: string): number;
  /** The groups that have members in this process. */
  groups(): readonly string[];
  /** Leaves the backplane and closes it; members stay open, and hear nothing more. */
  close(): Promise<void>;
}

/** How much a store keeps. The oldest messages go first. */
export interface StoreHistoryLimits extends HistoryLimits {
  /** The memory that the messages of one group take in this process: the bytes of data, at least 64 for each message. */
  readonly maxBytes: number;
  /** The same of all groups together. */
  readonly maxTotalBytes: number;
}

/** The options of `createChannelStore`. */
export interface ChannelStoreOptions<Attachment = unknown, Out = unknown> {
  /**
   * How much of what was published is kept for those who come back, for each group: `size` messages, none older than `ttlMs`.
   * @default { size: 100, ttlMs: 60_000, maxBytes: 1_048_576, maxTotalBytes: 67_108_864 }
   */
  readonly history?: Partial<StoreHistoryLimits> | undefined;
  /** Carries messages to other processes. The store owns it and closes it. @default none: groups live in this process */
  readonly backplane?: Backplane | undefined;
  /**
   * Converts published and broadcast values to messages, once for all members: see `jsonMessages`. A value that it refuses is
   * not sent: BAD_MESSAGE. @default none: a value that is no message goes out as JSON
   */
  readonly codec?: MessageCodec<unknown, Out> | undefined;
  /** A channel has joined a group in this process. Polls do not join. */
  readonly onJoin?:
    | ((group: string, channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown)
    | undefined;
  /** A channel has left a group in this process, by closing or by `removeFromGroup`. */
  readonly onLeave?:
    | ((group: string, channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown)
    | undefined;
  /**
   * Told of what a callback or a send threw for one member, and of what went wrong with the backplane (then without
   * `channel`). @default console.error
   */
  readonly onError?:
    | ((error: unknown, context: { readonly group: string; readonly channel: AnyChannel | undefined }) => unknown)
    | undefined;
  /** The source of time, for tests: a `VirtualClock` of `unichannel/testing`. @default the system's */
  readonly clock?: Clock | undefined;
}
