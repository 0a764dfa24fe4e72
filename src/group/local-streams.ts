// The streams of groups that live in this process alone: delivery is part of the publishing call.

import { randomBytes } from "node:crypto";
import type { AnyChannel } from "../channel/channel.ts";
import type { BackplaneMember } from "./backplane.ts";
import type { Group } from "./group.ts";
import { GroupLog } from "./group-log.ts";
import { GroupEntry, type GroupMessage } from "./group-message.ts";
import type { GroupStreams, Missed, StreamsOwner } from "./streams.ts";

const NOTHING: readonly GroupEntry[] = [];

export class LocalStreams implements GroupStreams {
  readonly #owner: StreamsOwner;
  /** Ids are of one life of one store: after a restart those of before are unknown, and say so. */
  readonly #prefix: string = `${randomBytes(5).toString("base64url")}.`;
  /** One count for all groups, so that a group that was dropped and comes again never uses an id twice. */
  #count = 0;
  /** Messages up to this one may have been forgotten with their groups. */
  #forgotten = 0;
  readonly #present = new Map<string, Map<string, BackplaneMember>>();

  constructor(owner: StreamsOwner) {
    this.#owner = owner;
  }

  begin(group: Group): void {
    const { history, budget } = this.#owner;
    const onEmpty = (): void => this.#owner.emptied(group);
    group.log = new GroupLog(this.#id(this.#forgotten), history, budget, this.compareIds, onEmpty);
  }

  keeps({ log }: Group, nowMs: number): boolean {
    log!.expire(nowMs);
    return !log!.isEmpty;
  }

  end({ log }: Group): void {
    log!.clear();
    this.#forgotten = Math.max(this.#forgotten, this.#number(log!.last!));
  }

  publish(name: string, message: GroupMessage, except: AnyChannel | undefined): Promise<string> {
    this.#count += 1;
    const id = this.#id(this.#count);
    const { size, maxBytes, maxTotalBytes } = this.#owner.history;
    const group = this.#owner.findGroup(name, size > 0 && maxBytes > 0 && maxTotalBytes > 0);
    if (group === undefined) this.#forgotten = this.#count;
    else group.accept(new GroupEntry(id, message, this.#owner.clock.now(), except));
    return Promise.resolve(id);
  }

  missed({ log }: Group, since: string | undefined): Missed {
    if (since === undefined) return { entries: NOTHING, reset: false, position: this.#id(this.#count) };
    // A poll that comes back, nearly always.
    if (since === log!.last) return { entries: NOTHING, reset: false, position: since };
    log!.expire(this.#owner.clock.now());
    const isKnown = since !== "" && this.#isId(since) && this.#number(since) <= this.#count;
    const found = isKnown ? log!.after(since) : undefined;
    const entries = found ?? log!.entries;
    const position = entries.at(-1)?.id ?? (found === undefined ? this.#id(this.#count) : since);
    return { entries, reset: found === undefined && since !== "", position };
  }

  history(name: string, since: string): Promise<Missed> {
    const group = this.#owner.findGroup(name, false);
    if (group !== undefined) return Promise.resolve(this.missed(group, since));
    const isKnown = since === "" || (this.#isId(since) && this.#isWithin(since));
    return Promise.resolve({ entries: [], reset: !isKnown, position: this.#id(this.#count) });
  }

  readonly compareIds = (a: string, b: string): number => this.#number(a) - this.#number(b);

  enter(name: string, member: BackplaneMember): void {
    let members = this.#present.get(name);
    if (members === undefined) {
      members = new Map();
      this.#present.set(name, members);
    }
    members.set(member.key, member);
  }

  leave(name: string, key: string): void {
    const members = this.#present.get(name);
    members?.delete(key);
    if (members?.size === 0) this.#present.delete(name);
  }

  present(name: string): Promise<readonly BackplaneMember[]> {
    return Promise.resolve([...(this.#present.get(name)?.values() ?? [])]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #id(count: number): string {
    return this.#prefix + count;
  }

  #isId(text: string): boolean {
    return text.startsWith(this.#prefix) && /^\d{1,15}$/.test(text.slice(this.#prefix.length));
  }

  /** Nothing after it was forgotten with its group. */
  #isWithin(id: string): boolean {
    return this.#number(id) >= this.#forgotten && this.#number(id) <= this.#count;
  }

  #number(id: string): number {
    return Number(id.slice(this.#prefix.length));
  }
}
