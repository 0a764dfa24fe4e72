// Who is in which group, and what is done with them: the ChannelStore over any streams.
// Contract C1–C6 of the page that the project starts from, with what it left open settled: one member's failure never
// stops the rest, event streams and WebSockets stay open, and a channel that closes leaves by itself.
// Long because all verbs share the groups and the one timer.

import { randomBytes } from "node:crypto";
import { utf8, utf8Bytes, utf8Length } from "../base/bytes.ts";
import { type Clock, systemClock, type Timer } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import { openChannel } from "../channel/accept.ts";
import type { AnyChannel, Channel } from "../channel/channel.ts";
import { PreparedMessage } from "../channel/prepared-message.ts";
import { ChannelRequest } from "../channel/request.ts";
import { prepare, type SendData } from "../channel/send-data.ts";
import { sendRaw } from "../channel/typed-channel.ts";
import type { CloseStatus } from "../transport/close-status.ts";
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
import { Group } from "./group.ts";
import { jsonMembers, toGroupMessage, toSendData } from "./group-message.ts";
import { Listener, type Mark, Poll } from "./mark.ts";
import type { GroupStreams, StreamsOwner } from "./streams.ts";

/** What makes the message of each member. */
type Maker<Attachment, Out> = (channel: GroupMember<Out>, attachment: Attachment | undefined) => unknown;

const MAX_NAME_BYTES = 1024;
/** Enough for a client to lose its network and come back. */
const DEFAULT_HISTORY = { size: 100, ttlMs: 60_000 };
/** How often it is looked for polls that have waited long enough, and for what nobody needs any more. */
const TICK_MS = 1000;
const POLL_OPTIONS = { sse: false };

export class GroupStore<Attachment = unknown, Out = unknown> implements ChannelStore<Attachment, Out> {
  readonly #options: ChannelStoreOptions<Attachment, Out>;
  readonly #clock: Clock;
  readonly #streams: GroupStreams;
  readonly #groups = new Map<string, Group<Attachment>>();
  /** Where each channel is that was ever added: in one group, in several, or in none (null) by now. Polls are not here. */
  readonly #memberships = new Map<AnyChannel, Group<Attachment> | Set<Group<Attachment>> | null>();
  /** Groups that the timer looks at. */
  readonly #watched = new Set<Group<Attachment>>();
  readonly #presenceId: string = randomBytes(8).toString("hex");
  #presenceCount = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  /** Users have `createChannelStore`. */
  constructor(options: ChannelStoreOptions<Attachment, Out>, makeStreams: (owner: StreamsOwner) => GroupStreams) {
    const { clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    const history = { ...DEFAULT_HISTORY, ...options.history };
    for (const [name, value] of Object.entries(history)) {
      if (!(value >= 0)) throw new ChannelError("BAD_OPTION", `history.${name} is ${String(value)}`);
    }
    this.#streams = makeStreams({
      clock,
      history,
      findGroup: (name, isNeeded) => (isNeeded ? this.#make(name) : this.#groups.get(name)),
      report: (error, group) => this.#report(error, group),
    });
  }

  addToGroup(name: string, channel: GroupMember<Out>, attachment?: Attachment, options: JoinOptions<Out> = {}): void {
    checkName(name);
    if (this.#isClosed) return;
    const info = options.presence === undefined ? undefined : presencePayload(options.presence);
    const group = this.#make(name);
    let mark = group.mark(channel);
    const isNew = !group.has(channel);
    if (isNew) mark = toMark(channel, options);
    else if (info !== undefined) mark ??= toMark(channel, { presence: true });
    group.add(channel, attachment, mark);
    if (info !== undefined) {
      mark!.presence ??= `${this.#presenceId}-${(this.#presenceCount += 1)}`;
      this.#streams.enter(name, { key: mark!.presence, payload: info });
    }
    if (!isNew) return;
    this.#remember(channel, group);
    // It had closed already: it is never left behind.
    if (!group.has(channel)) return;
    this.#tell(this.#options.onJoin, group, channel, attachment);
    const { since } = options;
    if (since !== undefined && since !== null && mark!.state === "waiting") group.catchUp(mark!, since);
  }

  removeFromGroup(name: string, channel: AnyChannel): boolean {
    const group = this.#groups.get(name);
    if (group === undefined || !group.has(channel)) return false;
    const known = this.#memberships.get(channel);
    if (known instanceof Set) known.delete(group);
    else if (known !== undefined) this.#memberships.set(channel, null);
    this.#leave(group, channel);
    return true;
  }

  broadcast(name: string, data: Broadcast<Attachment, Out>): number {
    const members = this.members(name);
    const make = typeof data === "function" ? (data as Maker<Attachment, Out>) : undefined;
    const common = make === undefined ? this.#encode(data) : undefined;
    const shared = toShared(common, members.length);
    let reached = 0;
    // Over a snapshot: members join and leave while their callbacks run.
    for (const [channel, attachment] of members) {
      try {
        const value = make === undefined ? common : this.#encode(make(channel, attachment));
        if (value === undefined) continue;
        const mark = this.#groups.get(name)?.mark(channel);
        const message = mark instanceof Poll ? toPollAnswer(value, mark) : (shared ?? toSendData(value));
        if (sendRaw(channel, message, channel.transport === "http")) reached += 1;
      } catch (error) {
        this.#report(error, name, channel);
      }
    }
    return reached;
  }

  async publish(name: string, message: unknown, { except }: PublishOptions = {}): Promise<{ readonly id: string }> {
    // Everything here happens in the call: `async` only makes a rejection of what throws.
    checkName(name);
    if (this.#isClosed) throw new ChannelError("BACKPLANE_UNAVAILABLE", "the store is closed");
    const published = this.#streams.publish(name, toGroupMessage(this.#encode(message)), except);
    return { id: await published };
  }

  async history(name: string, since?: string | null): Promise<GroupHistory> {
    checkName(name);
    const { entries, reset } = await this.#streams.history(name, since ?? "");
    return { messages: entries.map((entry) => entry.toHistory()), reset };
  }

  async presence(name: string): Promise<readonly PresentMember[]> {
    checkName(name);
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
    return (this.#groups.get(name)?.members() ?? []) as [GroupMember<Out>, Attachment | undefined][];
  }

  size(name: string): number {
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
      for (const channel of group.channels()) this.removeFromGroup(group.name, channel);
      this.#streams.end(group);
    }
    this.#groups.clear();
    this.#watched.clear();
    await this.#streams.close();
  }

  /** @internal A channel that is answered once, with what came after `since`; after `parkMs` with 204. */
  poll(request: ChannelRequest | Request, name: string, since: string | null | undefined, parkMs: number): Channel {
    checkName(name);
    // Before there is a group for it.
    const unanswered = ChannelRequest.unanswered(request);
    if (this.#isClosed) return openChannel(unanswered, { open: (channel) => channel.close() }, POLL_OPTIONS);
    const group = this.#make(name);
    this.#watch(group);
    const open = (channel: Channel): void => {
      const poll = new Poll(channel, since ?? undefined, this.#clock.now() + parkMs);
      group.add(channel, undefined, poll);
      group.catchUp(poll, poll.since);
    };
    return openChannel(unanswered, { open, close: group.onClose }, POLL_OPTIONS);
  }

  /** What the codec makes of a value, for whatever carries it. */
  #encode(value: unknown): unknown {
    const { codec } = this.#options;
    if (codec === undefined || value === undefined || value instanceof PreparedMessage) return value;
    const body = codec.encode(value as Out);
    return codec.contentType === undefined ? body : { headers: { "Content-Type": codec.contentType }, body };
  }

  #make(name: string): Group<Attachment> {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = new Group<Attachment>(name, {
        streams: this.#streams,
        watch: (watched) => this.#watch(watched as Group<Attachment>),
        closed: (left, channel) => this.#leave(left as Group<Attachment>, channel),
        report: (error, _, channel) => this.#report(error, name, channel),
      });
      this.#groups.set(name, group);
      this.#streams.begin(group);
    }
    return group;
  }

  /** So that it leaves its groups when it closes: one handler for each channel, however often it comes and goes. */
  #remember(channel: AnyChannel, group: Group<Attachment>): void {
    const known = this.#memberships.get(channel);
    if (known instanceof Set) known.add(group);
    else this.#memberships.set(channel, known === undefined || known === null ? group : new Set([known, group]));
    if (known === undefined) channel.onClose(this.#onClose);
  }

  readonly #onClose = (_: CloseStatus, channel: AnyChannel): void => {
    const known = this.#memberships.get(channel);
    this.#memberships.delete(channel);
    if (known instanceof Set) for (const group of known) this.#leave(group, channel);
    else if (known !== undefined && known !== null) this.#leave(known, channel);
  };

  #leave(group: Group<Attachment>, channel: AnyChannel): void {
    const known = group.remove(channel);
    if (known === undefined) return;
    const { attachment, mark } = known;
    if (mark?.presence !== undefined) this.#streams.leave(group.name, mark.presence);
    if (group.size === 0) {
      group.emptySinceMs = this.#clock.now();
      if (this.#streams.keeps(group, group.emptySinceMs)) this.#watch(group);
      else this.#drop(group);
    }
    if (!(mark instanceof Poll)) this.#tell(this.#options.onLeave, group, channel, attachment);
  }

  #drop(group: Group<Attachment>): void {
    this.#groups.delete(group.name);
    this.#watched.delete(group);
    this.#streams.end(group);
  }

  #watch(group: Group<Attachment>): void {
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

  #tell(
    handler: ChannelStoreOptions<Attachment, Out>["onJoin"],
    { name }: Group<Attachment>,
    channel: AnyChannel,
    attachment: Attachment | undefined,
  ): void {
    try {
      handler?.(name, channel as GroupMember<Out>, attachment);
    } catch (error) {
      this.#report(error, name, channel);
    }
  }

  #report(error: unknown, group: string, channel?: AnyChannel): void {
    const { onError } = this.#options;
    if (onError === undefined) console.error(`unichannel: error in group ${group}`, error);
    else onError(error, { group, channel });
  }
}

function checkName(name: string): void {
  if (typeof name !== "string") throw new ChannelError("BAD_OPTION", "a group's name is a string");
  if (name.length * 3 > MAX_NAME_BYTES && utf8Length(name) > MAX_NAME_BYTES) {
    throw new ChannelError("BAD_OPTION", `a group's name has more than ${MAX_NAME_BYTES} bytes`);
  }
}

/** Nothing for a member that asks for nothing: most do not. */
function toMark<Out>(
  channel: AnyChannel,
  { since, ids = false, onReset, presence }: JoinOptions<Out>,
): Mark | undefined {
  const isWaiting = since !== undefined && since !== null;
  if (!isWaiting && !ids && onReset === undefined && presence === undefined) return undefined;
  const mark = new Listener(channel, ids, isWaiting || ids, onReset as Listener["onReset"]);
  if (!isWaiting) mark.state = "live";
  return mark;
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
