// Presence over NATS: the last message of each member's subject, and a subject per process whose message expires unless the
// process renews it. A member counts as gone if the message of its process is gone.

import type { BackplaneMember } from "../backplane.ts";
import { BrokerPresence, type PresenceOptions } from "../broker-presence.ts";
import type { NatsLink } from "./connection.ts";
import { deleteLast, deleteMessages } from "./delete-messages.ts";
import type { StoredMessage } from "./find-message.ts";
import { decodeNamed, encodeNamed } from "./named-bytes.ts";
import { readLast } from "./read.ts";
import type { NatsStreams } from "./streams.ts";
import { subjectCounts } from "./subject-counts.ts";
import { nameToken } from "./subjects.ts";

export class NatsPresence extends BrokerPresence {
  readonly #link: NatsLink;
  readonly #streams: NatsStreams;
  #announcing: Promise<void> | undefined;
  /** Time at which this process was last announced or renewed; undefined before its first announcement. */
  #aliveAt: number | undefined;
  /** True if the last announcement failed: the next renewal announces everything. */
  #mustAnnounce = false;
  /** True while members of processes that have died are removed. */
  #isRemoving = false;

  constructor(link: NatsLink, streams: NatsStreams, options: PresenceOptions) {
    super(link, options);
    this.#link = link;
    this.#streams = streams;
  }

  override async enter(group: string, member: BackplaneMember, from?: string): Promise<void> {
    // Other processes must know this process before they see its members.
    if (this.#aliveAt === undefined) await this.announce();
    await super.enter(group, member, from);
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    const { name } = this.#streams;
    const [messages, alive] = await this.#streams.using(() =>
      Promise.all([
        readLast(this.#link, this.#stream, `${name}.m.${nameToken(group)}.*.*`),
        subjectCounts(this.#link, `${name}-alive`, `${name}.a.>`),
      ]),
    );
    const [members, dead]: [BackplaneMember[], StoredMessage[]] = [[], []];
    for (const message of messages) {
      const process = message.subject.split(".").at(-2)!;
      if (alive.has(`${name}.a.${process}`)) members.push(decodeNamed(message.data));
      else dead.push(message);
    }
    if (dead.length > 0) this.#removeDead(dead);
    return members;
  }

  announce(): Promise<void> {
    this.#announcing ??= this.#announce().finally(() => {
      this.#announcing = undefined;
    });
    return this.#announcing;
  }

  /** A process that has announced nothing has nothing to announce again. */
  override announceAgain(): void {
    if (this.#aliveAt !== undefined) super.announceAgain();
  }

  async close(): Promise<void> {
    this.stop();
    if (this.#aliveAt === undefined) return;
    const { name } = this.#streams;
    const { processId } = this.options;
    const alive =
      this.released.length > 0 ? this.#live() : deleteLast(this.#link, `${name}-alive`, `${name}.a.${processId}`);
    await Promise.allSettled([alive, this.#streams.using(() => this.#removeOwn())]);
  }

  /** Members that were released go on in another process. */
  async #removeOwn(): Promise<void> {
    const released = new Set(this.released.slice().map(({ group, key }) => this.#subject(group, key)));
    const own = await readLast(this.#link, this.#stream, `${this.#streams.name}.m.*.${this.options.processId}.*`);
    const left = own.filter(({ subject }) => !released.has(subject));
    await deleteMessages(this.#link, this.#stream, left);
  }

  protected async write(group: string, member: BackplaneMember): Promise<void> {
    await this.#streams.publisher.publish(this.#subject(group, member.key), encodeNamed(member));
  }

  protected remove(group: string, key: string, process: string): Promise<void> {
    return this.#streams.using(() => deleteLast(this.#link, this.#stream, this.#subject(group, key, process)));
  }

  protected async renew(): Promise<void> {
    if (this.own.size === 0 || this.#aliveAt === undefined) return;
    // After a late renewal the process may have been taken for dead.
    const isLate = this.options.clock.now() - this.#aliveAt >= this.options.aliveMs;
    await (this.#mustAnnounce || isLate || this.mustWrite ? this.announce() : this.#live());
  }

  async #announce(): Promise<void> {
    try {
      await this.#live();
      this.#mustAnnounce = false;
      await this.writeAll();
    } catch (error) {
      this.#mustAnnounce = true;
      throw error;
    }
  }

  async #live(): Promise<void> {
    const now = this.options.clock.now();
    await this.#streams.publisher.publish(`${this.#streams.name}.a.${this.options.processId}`, new Uint8Array());
    this.#aliveAt = now;
  }

  /** A process that was only slow writes its members again when it comes back. */
  #removeDead(members: readonly StoredMessage[]): void {
    // Another listing finds those again that it leaves.
    if (this.#isRemoving) return;
    this.#isRemoving = true;
    void deleteMessages(this.#link, this.#stream, members)
      .catch(() => {})
      .finally(() => {
        this.#isRemoving = false;
      });
  }

  get #stream(): string {
    return `${this.#streams.name}-members`;
  }

  #subject(group: string, key: string, process: string = this.options.processId): string {
    return `${this.#streams.name}.m.${nameToken(group)}.${process}.${nameToken(key)}`;
  }
}
