// The streams of groups that exist in this process only. Delivery is part of the call that publishes.

import type { BackplaneMember, HistoryLimits } from "../../backplane/backplane.ts";
import { utf8 } from "../../base/bytes.ts";
import type { AnyChannel } from "../../channel/channel.ts";
import { nodeCrypto } from "../../transport/node-modules.ts";
import { type Control, ControlEntry } from "../control.ts";
import { LastValues } from "../last-values.ts";
import { newestOfEach, wholeOf } from "../latest.ts";
import { GroupLog } from "../log.ts";
import { GroupEntry, type GroupMessage, NO_ENTRIES } from "../message.ts";
import type { PresenceView } from "../presence-view.ts";
import type { Publication } from "../publications.ts";
import { type GroupLives, LocalLives } from "./group-lives.ts";
import type {
  GroupStream,
  PublishTo,
  Replay,
  SourceOwner,
  StreamListener,
  StreamPart,
  StreamSource,
} from "./source.ts";

export class LocalSource implements StreamSource {
  readonly owner: SourceOwner;
  readonly ids: LocalIds = new LocalIds();
  readonly #streams = new Map<string, LocalStream>();
  readonly #present = new Map<string, Map<string, BackplaneMember>>();
  /** Number of the newest entry that may have been dropped together with its group. */
  #forgotten = 0;
  /** Views of the groups whose presence is watched. */
  readonly #views = new Map<string, PresenceView>();
  /** This process has all members. */
  readonly counts = undefined;
  readonly leases = undefined;
  readonly isShared = false;
  /** Number of messages that were published to several groups. */
  #shared = 0;

  readonly lives: GroupLives | undefined;

  constructor(owner: SourceOwner) {
    this.owner = owner;
    this.lives = owner.lives === undefined ? undefined : new LocalLives(owner.lives);
  }

  open(group: string, listener: StreamListener): GroupStream {
    const stream = new LocalStream(this, group, this.ids.at(this.#forgotten), listener);
    this.#streams.set(group, stream);
    return stream;
  }

  /** Only gives the message an id: the group has no members, and no history is kept. */
  publish(_group: string): Promise<string> {
    this.#forgotten = this.ids.newest += 1;
    return Promise.resolve(this.ids.latest);
  }

  share(message: GroupMessage, except: AnyChannel | undefined): PublishTo {
    const publication = this.owner.publications.open(`local ${(this.#shared += 1)}`);
    return (group, stream) =>
      stream instanceof LocalStream ? stream.append(message, except, publication) : this.publish(group);
  }

  part({ message, keep }: StreamPart): PublishTo {
    return (group, stream) => (stream instanceof LocalStream ? stream.appendKept(message, keep) : this.publish(group));
  }

  control(control: Control): PublishTo {
    return (group, stream) => (stream instanceof LocalStream ? stream.control(control) : this.publish(group));
  }

  history(group: string, since: string): Promise<Replay> {
    const stream = this.#streams.get(group);
    if (stream !== undefined) return Promise.resolve(stream.replay(since));
    const isComplete = since === "" || (this.ids.isIssued(since) && this.ids.numberOf(since) >= this.#forgotten);
    return Promise.resolve({ entries: NO_ENTRIES, reset: !isComplete, position: this.ids.latest });
  }

  enter(group: string, member: BackplaneMember): void {
    let members = this.#present.get(group);
    if (members === undefined) this.#present.set(group, (members = new Map()));
    members.set(member.key, member);
    this.#views.get(group)?.entered(member.key, utf8(member.payload));
  }

  release(group: string, key: string): undefined {
    this.leave(group, key);
  }

  leave(group: string, key: string): void {
    const members = this.#present.get(group);
    members?.delete(key);
    if (members?.size === 0) this.#present.delete(group);
    this.#views.get(group)?.left(key);
  }

  watchPresence(view: PresenceView): () => void {
    const { group } = view;
    this.#views.set(group, view);
    for (const { key, payload } of this.#present.get(group)?.values() ?? []) view.entered(key, utf8(payload));
    return () => this.#views.delete(group);
  }

  present(group: string): Promise<readonly BackplaneMember[]> {
    return Promise.resolve([...(this.#present.get(group)?.values() ?? [])]);
  }

  async close(): Promise<void> {
    await this.lives?.close();
  }

  /** Called when a stream has ended: its entries up to the id `last` are not kept any more. */
  ended(group: string, last: string): void {
    this.#streams.delete(group);
    this.#forgotten = Math.max(this.#forgotten, this.ids.numberOf(last));
  }

  get keepsHistory(): boolean {
    const { keepsLatest, history } = this.owner;
    const { size, maxKeys, maxBytes, maxTotalBytes } = history;
    return (size > 0 || (keepsLatest && maxKeys > 0)) && maxBytes > 0 && maxTotalBytes > 0;
  }
}

class LocalStream implements GroupStream {
  readonly #source: LocalSource;
  readonly #group: string;
  readonly #listener: StreamListener;
  readonly #log: GroupLog;
  /** Undefined if the last value of each key is not kept. */
  readonly #values: LastValues | undefined;

  constructor(source: LocalSource, group: string, base: string, listener: StreamListener) {
    const { ids, owner } = source;
    this.#source = source;
    this.#group = group;
    this.#listener = listener;
    this.#log = new GroupLog(base, owner.history, owner.budget, ids.compare, () => this.#dropped());
    this.#values = owner.keepsLatest ? new LastValues(owner.history, owner.budget, () => this.#dropped()) : undefined;
  }

  publish(message: GroupMessage, except: AnyChannel | undefined): Promise<string> {
    return this.append(message, except, undefined);
  }

  append(message: GroupMessage, except: AnyChannel | undefined, publication?: Publication): Promise<string> {
    const { ids, owner } = this.#source;
    ids.newest += 1;
    const entry = new GroupEntry(ids.latest, message, owner.clock.now(), except, publication);
    this.#log.append(entry);
    this.#values?.put(entry);
    this.#listener.accept(entry);
    return Promise.resolve(entry.id);
  }

  /** The history of the group keeps at least as much as `keep` from now on. */
  appendKept(message: GroupMessage, keep: HistoryLimits): Promise<string> {
    this.#log.keepAtLeast(keep);
    return this.append(message, undefined);
  }

  control(control: Control): Promise<string> {
    const { ids } = this.#source;
    ids.newest += 1;
    const entry = new ControlEntry(ids.latest, control);
    this.#log.skip(entry.id);
    this.#listener.control(entry);
    return Promise.resolve(entry.id);
  }

  compareIds(a: string, b: string): number {
    return this.#source.ids.compare(a, b);
  }

  isId(text: string): boolean {
    return this.#source.ids.isIssued(text);
  }

  get position(): string | undefined {
    return this.#log.last;
  }

  start(): string | undefined {
    return this.#log.last;
  }

  has(id: string): boolean {
    return this.#log.has(id);
  }

  replay(since: string | undefined): Replay {
    const { ids, owner } = this.#source;
    if (since === undefined) return { entries: NO_ENTRIES, reset: false, position: ids.latest };
    // The fast path of nearly every poll that comes back.
    if (since === this.#log.last) return { entries: NO_ENTRIES, reset: false, position: since };
    this.#expire(owner.clock.now());
    const found = ids.isIssued(since) ? this.#log.after(since) : undefined;
    const kept = found ?? this.#log.entries;
    const position = kept.at(-1)?.id ?? (found === undefined ? ids.latest : since);
    const reset = found === undefined && since !== "";
    if (this.#values === undefined) return { entries: kept, reset, position };
    const whole = found === undefined ? wholeOf(this.#values.entries, kept, ids.compare) : newestOfEach(kept);
    return { entries: whole, reset, position };
  }

  /** A position is an id: also the beginning of a stream here has one. */
  replayFrom(position: string | undefined): Replay {
    return this.replay(position);
  }

  expire(nowMs: number): boolean {
    this.#expire(nowMs);
    return !this.#isEmpty();
  }

  #expire(nowMs: number): void {
    this.#log.expire(nowMs);
    this.#values?.expire(nowMs);
  }

  #isEmpty(): boolean {
    return this.#log.isEmpty && this.#values?.isEmpty !== false;
  }

  /** The budget has dropped the last entry of the log, or the last value. */
  #dropped(): void {
    if (this.#isEmpty()) this.#source.owner.historyDropped(this.#group);
  }

  end(): void {
    this.#log.clear();
    this.#values?.clear();
    this.#source.ended(this.#group, this.#log.last!);
  }
}

/**
 * The ids of one store in one process: a random prefix, so that ids of an earlier process are recognized as unknown, and one
 * counter for all groups, so that a group which is dropped and created again never repeats an id.
 */
class LocalIds {
  readonly #prefix: string = `${nodeCrypto().randomBytes(5).toString("base64url")}.`;
  /** Number of the newest id. */
  newest = 0;

  /** Id of the newest entry of all groups. */
  get latest(): string {
    return this.at(this.newest);
  }

  at(count: number): string {
    return this.#prefix + count;
  }

  /** Returns true for an id that this store has given to an entry; clients may send any text. */
  isIssued(text: string): boolean {
    if (!text.startsWith(this.#prefix) || !/^\d{1,15}$/.test(text.slice(this.#prefix.length))) return false;
    return this.numberOf(text) <= this.newest;
  }

  numberOf(id: string): number {
    return Number(id.slice(this.#prefix.length));
  }

  readonly compare = (a: string, b: string): number => this.numberOf(a) - this.numberOf(b);
}
