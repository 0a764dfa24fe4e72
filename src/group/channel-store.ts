// The contract of a store of groups: members, and the messages that all of them receive. It has the three verbs of the seed,
// and history, delivery to every process, and presence. `group-store.ts` implements it.
// Long because each of its members has its contract here.

import type { Backplane, HistoryLimits } from "../backplane/backplane.ts";
import type { Clock } from "../base/clock.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { PreparedMessage } from "../channel/prepared-message.ts";
import type { MessageCodec } from "../codec/message-codec.ts";
import type { MemberFields } from "./control.ts";
import type { GroupMember, Publishable } from "./group-member.ts";
import type { KeyOf } from "./latest-key.ts";
import type { HistoryMessage } from "./message.ts";
import type { PartSource, PublishStreamOptions, StreamResult } from "./published/publish-stream.ts";
import type { MakeSnapshot } from "./state-source.ts";

/**
 * The parts that a store publishes: text, bytes of UTF-8 text and JSON values; with a codec those of the stream messages among its
 * values.
 */
export type PartOf<Out> = Publishable extends Out ? Publishable : PartOfMessage<Out>;

type PartOfMessage<Message> = Message extends { readonly stream: string; readonly text: string }
  ? string | Uint8Array
  : Message extends { readonly stream: string; readonly parts: readonly (infer Part)[] }
    ? Part
    : never;

/** Data for all members, or a function that makes it for each member and may return `undefined` to send that member nothing. */
export type Broadcast<Attachment, Out = Publishable> =
  | Out
  | PreparedMessage
  | undefined
  | ((channel: GroupMember<Out>, attachment: Attachment | undefined) => Out | PreparedMessage | undefined);

/** The options of `addToGroup`. */
export interface JoinOptions<Out = Publishable> {
  /**
   * Id of the last message that the client has received: later messages are sent first, in order, before new ones. Null: only
   * messages that are published from now on. Undefined: the same, but the channel of a client whose session was lost continues
   * where that client was in the group. An empty string: all messages that are kept. If some of them are lost, or the id is
   * unknown, the channel is told (`onReset`) and then receives all that are kept.
   */
  readonly since?: string | null | undefined;
  /**
   * Sends each message as JSON with its id, `{ "group", "id", "data" }`: for clients that are not event sources and want to
   * come back with `since`. An event stream carries ids anyway. @default false
   */
  readonly ids?: boolean | undefined;
  /**
   * Called when messages are lost for this channel, before those that are kept. Without it an event stream receives an event of
   * type `reset`, a channel with `ids` or `since` the JSON text `{ "group", "reset": true }`, and a session of
   * `unichannel/client` with neither or with an empty `since` the event `onReset` of the client, also when it comes from a lost
   * session and receives everything again.
   */
  readonly onReset?: ((channel: GroupMember<Out>) => unknown) | undefined;
  /**
   * Reads the state of the application for this channel: it is sent first, and then each message of the group after its `since`,
   * without a gap or a duplicate. Messages that are published meanwhile wait in the history. If the history does not reach back
   * to `since`, and later whenever messages are lost for this channel, it is called again, after the channel was told as
   * `onReset` says. An exception and a bad result go to the store's `onError`; then it is called again, after a pause of at most
   * 8 seconds, until the channel leaves. With a `since` in the options, or for the client of a lost session, only if that id is
   * not kept any more. It does not move to another process with a session: give it again in `restored`.
   */
  readonly snapshot?: MakeSnapshot<Out> | undefined;
  /** Time for one call of `snapshot`, in milliseconds. @default 10_000 */
  readonly snapshotTimeoutMs?: number | undefined;
  /** Lists the channel in `presence`, with this JSON value as its `info`. @default not listed */
  readonly presence?: unknown;
}

/** The options of `publish`. */
export interface PublishOptions {
  /** A member that does not receive it, usually its sender. The history contains the message. */
  readonly except?: AnyChannel | undefined;
}

/** The options of `disconnect`. */
export interface DisconnectOptions {
  /** Close code: 1000, or 3000 to 4999 for codes of the application. @default 1000 */
  readonly code?: number | undefined;
  /** Reason, at most 123 bytes. @default "" */
  readonly reason?: string | undefined;
  /**
   * Concerns only members whose attachment is an object with these fields and values. A function cannot be sent to other
   * processes. At most 4,096 bytes as JSON. @default all members
   */
  readonly where?: MemberFields | undefined;
}

/** The options of `move`. */
export interface MoveOptions {
  /** The members stay in the first group, too. @default false */
  readonly keep?: boolean | undefined;
  /** Concerns only members whose attachment is an object with these fields and values; see `disconnect`. @default all members */
  readonly where?: MemberFields | undefined;
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

/** The callbacks of `watchPresence`, for the members that are listed as present. */
export interface PresenceHandlers {
  /** A member has come. At first it is called for each member that is present already. */
  readonly enter?: ((member: PresentMember) => unknown) | undefined;
  /** A member has joined again with another `presence`. */
  readonly change?: ((member: PresentMember) => unknown) | undefined;
  /** A member has left, or its process has died. */
  readonly leave?: ((member: PresentMember) => unknown) | undefined;
}

/** A store with attachments and values of any type: the methods that do not use them. */
export interface AnyChannelStore {
  /** Removes a channel. Returns true if it was a member. An empty group is dropped. */
  removeFromGroup(group: string, channel: AnyChannel): boolean;
  /** Resolves with the messages published after `since`, or with all that are kept. Rejects with BACKPLANE_UNAVAILABLE. */
  history(group: string, since?: string | null): Promise<GroupHistory>;
  /**
   * Resolves with the id of the last message of the group that has come to this process: a `since` for state that is read after the
   * call. An empty string: none was ever published. Rejects with BACKPLANE_UNAVAILABLE.
   */
  lastId(group: string): Promise<string>;
  /** Resolves with the members that joined with `presence`, in every process of the backplane. Rejects with BACKPLANE_UNAVAILABLE. */
  presence(group: string): Promise<readonly PresentMember[]>;
  /**
   * Tells of the members that are listed as present, in every process of the backplane, and of each change, until the result is
   * called. Without a backplane at once. With one, a change is told when the broker has told it; the list of all members is read
   * every 30 seconds, too: the members of a process that has died leave at most 40 seconds after the backplane's `aliveMs`. A
   * session that moves to another process stays. Exceptions of a handler go to `onError`.
   */
  watchPresence(group: string, handlers: PresenceHandlers): () => void;
  /**
   * Resolves with the number of members, parked polls too, in every living process of the backplane. Those of other processes are
   * up to a second old, and older while the broker cannot be reached; a process that has died counts until `aliveMs` of its
   * backplane has passed. With a backplane it needs the option `counts` in every process, and rejects with BAD_OPTION without it
   * here; rejects with BACKPLANE_UNAVAILABLE.
   */
  count(group: string): Promise<number>;
  /**
   * Closes the channels of a group, in every process of the backplane. Its place is in the order of the group's messages: members
   * receive all messages that were published before, and none after it. It concerns the channels that are members in a process
   * when it arrives there. Parked polls are answered with 204, without `where`. Resolves like `publish`; rejects with
   * BAD_OPTION, BAD_CLOSE or BACKPLANE_UNAVAILABLE.
   */
  disconnect(group: string, options?: DisconnectOptions): Promise<{ readonly id: string }>;
  /**
   * Makes the members of one group members of another, in every process of the backplane, with their attachment, `ids`,
   * `onReset` and presence. Its place is in the order of the messages of `from`; of `to` they receive the messages that are
   * published after they have joined. Parked polls are not moved. Resolves like `publish`; rejects with BAD_OPTION or
   * BACKPLANE_UNAVAILABLE.
   */
  move(from: string, to: string, options?: MoveOptions): Promise<{ readonly id: string }>;
  /**
   * Stops the stream that `publishStream` publishes to the group, in whichever process: its source is cancelled, and its viewers get
   * the end `"stopped"`. Resolves to true when it is over, or after 5 seconds; to false if the group has none. Rejects with BACKPLANE_UNAVAILABLE if it is not known whether the
   * other process will hear of it.
   */
  stopStream(group: string): Promise<boolean>;
  /** The current members in this process and their attachments, in no order. */
  members(group: string): readonly (readonly [channel: AnyChannel, attachment: unknown])[];
  /** The number of members in this process. */
  size(group: string): number;
  /** The groups that have members in this process. */
  groups(): readonly string[];
  /** Leaves the backplane and closes it. Members stay open and receive nothing more. */
  close(): Promise<void>;
}

/** `Out`: the values that are published, as the store's codec defines them. */
export interface ChannelStore<Attachment = unknown, Out = Publishable> extends AnyChannelStore {
  /**
   * Adds a channel; adding it again replaces its attachment. A channel that closes leaves by itself, before its close callbacks
   * run. Throws BAD_OPTION for a group name of more than 1,024 bytes.
   */
  addToGroup(group: string, channel: GroupMember<Out>, attachment?: Attachment, options?: JoinOptions<Out>): void;
  /**
   * Sends to all current members in this process and returns their number. The message has no id and no history keeps it. There
   * are no options: to leave a member out, use a function, or `publish` with `except`. Plain
   * HTTP channels receive it as their answer and are closed; others stay open. Text, bytes and `{ status, headers, body }` are
   * sent as they are, any other value as JSON; with a codec everything except the result of `prepare` goes through it. Throws
   * BAD_MESSAGE.
   */
  broadcast(group: string, data: Broadcast<Attachment, Out>): number;
  /**
   * Sends to all members, in every process of the backplane, and keeps the message in the group's history. Text, bytes,
   * `json(value)` and `event({ data, event })` are sent as they are, any other value as JSON. Without a backplane the members
   * have the message when the call returns. Rejects with BAD_DATA for streams, a status, or headers other than Content-Type,
   * with BAD_OPTION for a group name of more than 1,024 bytes, and with BACKPLANE_UNAVAILABLE if it is not known whether the
   * message was published. With a codec everything except the result of `prepare` goes through it: rejects with BAD_MESSAGE.
   */
  publish(group: string, message: Out | PreparedMessage, options?: PublishOptions): Promise<{ readonly id: string }>;
  /**
   * Does the same for at most 100 groups: a channel that is a member of several of them receives the message once, also while it
   * catches up. Each group's history has the message; the ids are in the order of the groups. It is not one step for the broker:
   * if it rejects, some of the groups may have the message.
   */
  publish(
    groups: readonly string[],
    message: Out | PreparedMessage,
    options?: PublishOptions,
  ): Promise<{ readonly ids: readonly string[] }>;
  /**
   * Publishes the parts of a source to a group, in order, as stream messages (`StreamMessage`): a beginning, text or parts, and an
   * end. Viewers are members of the group; one that joins with `since: ""` receives the stream from its beginning. A group has one
   * stream at a time. Resolves when the stream is over, with how it has ended; a source that fails, a group that has a stream
   * already (STREAM_BUSY) and a broker that cannot be reached for 30 seconds are results, which `onError` is told of, too. Rejects
   * with BAD_OPTION or BAD_DATA for its arguments.
   */
  publishStream(group: string, source: PartSource<PartOf<Out>>, options?: PublishStreamOptions): Promise<StreamResult>;
  /** The current members in this process and their attachments, in no order. */
  members(group: string): readonly (readonly [channel: GroupMember<Out>, attachment: Attachment | undefined])[];
}

/** Limits on the messages that a store keeps. The oldest are dropped first. */
export interface StoreHistoryLimits extends HistoryLimits {
  /** Memory of the messages of one group in this process, in bytes: their data, and at least 64 for each message. */
  readonly maxBytes: number;
  /** Memory of the messages of all groups in this process, in bytes. */
  readonly maxTotalBytes: number;
  /** With `latest`: keys of one group that have a value. The one whose value is oldest is dropped first. */
  readonly maxKeys: number;
  /** With `latest`: the age in milliseconds after which a value is dropped, in a broker that of the last message of the group. */
  readonly valueTtlMs: number;
}

/** Groups that keep the last value of each key. */
export interface LatestOptions<Out = Publishable> {
  /**
   * Returns the key of a value that is published, or undefined for a message without one; `{ key, isRemoved: true }` for a message
   * which says that the key has no value any more. Each group then keeps the last message of each key, apart from its history:
   * a channel that joins without `since` receives them first, in the order of their ids, and one that has missed messages
   * receives of each key only the last. Keys have at most 1,024 bytes: `publish` rejects with BAD_DATA, and with what this
   * function throws. @default none
   */
  readonly latest?: KeyOf<NoInfer<Out | PreparedMessage>> | undefined;
}

/** The options of `createChannelStore`. */
export interface ChannelStoreOptions<Attachment = unknown, Out = Publishable> {
  /**
   * Limits on the messages that each group keeps for clients that come back: `size` messages, none older than `ttlMs`.
   * @default { size: 100, ttlMs: 60_000, maxBytes: 1_048_576, maxTotalBytes: 67_108_864, maxKeys: 1000, valueTtlMs: 86_400_000 }
   */
  readonly history?: (Partial<StoreHistoryLimits> & LatestOptions<Out>) | undefined;
  /** Carries messages to other processes. The store owns it and closes it. @default none: groups live in this process */
  readonly backplane?: Backplane | undefined;
  /**
   * Tells the other processes how many members each group has in this one, for `count`: one small record for each group with
   * members, written at most once in a second. @default false
   */
  readonly counts?: boolean | undefined;
  /**
   * Converts published and broadcast values to messages, once for all members: see `jsonMessages`. A value that it refuses is
   * not sent: BAD_MESSAGE. @default none: a value other than a message goes out as JSON
   */
  readonly codec?: MessageCodec<unknown, Out> | undefined;
  /** Called when a channel has joined a group in this process. Polls do not join. */
  readonly onJoin?:
    | ((group: string, channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown)
    | undefined;
  /** Called when a channel has left a group in this process, by closing or by `removeFromGroup`. */
  readonly onLeave?:
    | ((group: string, channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown)
    | undefined;
  /**
   * Called when a group has its first member in all processes of the backplane; polls do not count. One of the processes whose
   * stores have this option or `onGroupEnd` is told: the one whose member it was. Give both options in every process.
   */
  readonly onGroupStart?: ((group: string) => unknown) | undefined;
  /**
   * Called when a group has lost its last member in all processes: in the process whose member it was, or, if that one has died, in
   * any living one, at most 25 seconds after the backplane's `aliveMs`; if none lives, in the next one that starts. A process
   * that dies while it is told may leave that to another one, which is told then.
   */
  readonly onGroupEnd?: ((group: string) => unknown) | undefined;
  /**
   * Receives errors of callbacks and of sends to one member, and errors of the backplane: without `channel`, and without
   * `group` if closing it fails.
   * @default console.error
   */
  readonly onError?:
    | ((
        error: unknown,
        context: { readonly group: string | undefined; readonly channel: AnyChannel | undefined },
      ) => unknown)
    | undefined;
  /** The source of time, for tests: a `VirtualClock` of `unichannel/testing`. @default the system's */
  readonly clock?: Clock | undefined;
}
