// Presence over NATS: the last message of each member's subject, and a subject per process whose message expires unless the
// process renews it. A member counts as gone if the message of its process is gone.

import type { Clock, Timer } from "../../base/clock.ts";
import type { BackplaneMember } from "../backplane.ts";
import { OwnMembers } from "../own-members.ts";
import type { NatsLink } from "./connection.ts";
import { readAll } from "./read.ts";
import { MEMBER_TTL_MS, type NatsStreams, type StreamInfo } from "./streams.ts";
import { nameToken } from "./subjects.ts";

export interface NatsPresenceOptions {
  readonly clock: Clock;
  /** Id of this process: one token of a subject. */
  readonly processId: string;
  /** Silence after which a process counts as dead, in milliseconds. */
  readonly aliveMs: number;
  readonly onError: (error: unknown) => void;
}

export class NatsPresence {
  readonly #link: NatsLink;
  readonly #streams: NatsStreams;
  readonly #options: NatsPresenceOptions;
  readonly #own = new OwnMembers();
  #announcing: Promise<void> | undefined;
  /** Time at which this process was last announced or renewed; undefined before its first announcement. */
  #aliveAt: number | undefined;
  /** True if the last announcement failed: the next renewal announces everything. */
  #mustAnnounce = false;
  #writtenAt: number;
  #timer: Timer;

  constructor(link: NatsLink, streams: NatsStreams, options: NatsPresenceOptions) {
    this.#link = link;
    this.#streams = streams;
    this.#options = options;
    this.#writtenAt = options.clock.now();
    this.#schedule();
  }

  async enter(group: string, member: BackplaneMember): Promise<void> {
    // Other processes must know this process before they see its members.
    if (this.#aliveAt === undefined) await this.announce();
    this.#own.add(group, member);
    await this.#write(group, member);
  }

  async leave(group: string, key: string): Promise<void> {
    this.#own.delete(group, key);
    await this.#purge(this.#subject(group, key));
  }

  async present(group: string): Promise<readonly BackplaneMember[]> {
    const { name } = this.#streams;
    const subject = `${name}.m.${nameToken(group)}.*.*`;
    const [messages, alive] = await this.#streams.using(() =>
      Promise.all([
        readAll(this.#link, { stream: `${name}-members`, subject }),
        this.#link.api<StreamInfo>(`STREAM.INFO.${name}-alive`, { subjects_filter: `${name}.a.>` }),
      ]),
    );
    const members: BackplaneMember[] = [];
    const dead = new Set<string>();
    for (const { message } of messages) {
      const { subject, data } = message;
      const process = subject.split(".").at(-2)!;
      if (alive.state.subjects?.[`${name}.a.${process}`] === undefined) dead.add(process);
      else members.push(decodeMember(data));
    }
    // A process that was only slow writes its members again when it comes back.
    for (const process of dead) this.#purge(`${name}.m.${nameToken(group)}.${process}.*`).catch(() => {});
    return members;
  }

  /** Writes that this process lives, and its members. Called for each new connection. */
  announce(): Promise<void> {
    this.#announcing ??= this.#announce().finally(() => {
      this.#announcing = undefined;
    });
    return this.#announcing;
  }

  /** Called after a new connection. A process that has announced nothing has nothing to do. */
  announceAgain(): void {
    if (this.#aliveAt === undefined) return;
    this.announce().catch((error: unknown) => {
      if (this.#link.isUp) this.#options.onError(error);
    });
  }

  async close(): Promise<void> {
    this.#options.clock.clearTimer(this.#timer);
    const { name } = this.#streams;
    if (this.#aliveAt === undefined) return;
    const { processId } = this.#options;
    const groups = this.#own.groups.map((group) => this.#purge(`${name}.m.${nameToken(group)}.${processId}.*`));
    const alive = this.#link.api(`STREAM.PURGE.${name}-alive`, { filter: `${name}.a.${processId}` });
    await Promise.allSettled([...groups, alive]);
  }

  async #announce(): Promise<void> {
    try {
      await this.#renew();
      this.#mustAnnounce = false;
      this.#writtenAt = this.#options.clock.now();
      await this.#own.writeAll((group, member) => this.#write(group, member));
    } catch (error) {
      this.#mustAnnounce = true;
      throw error;
    }
  }

  #schedule(): void {
    const { clock, aliveMs, onError } = this.#options;
    this.#timer = clock.setTimer(() => {
      this.#schedule();
      if (!this.#link.isUp || this.#own.isEmpty || this.#aliveAt === undefined) return;
      const now = clock.now();
      // After a late renewal the process may have been taken for dead; and members must be written before they expire.
      const isLate = now - this.#aliveAt >= aliveMs || now - this.#writtenAt >= MEMBER_TTL_MS / 3;
      (this.#mustAnnounce || isLate ? this.announce() : this.#renew()).catch((error: unknown) => {
        if (this.#link.isUp) onError(error);
      });
    }, aliveMs / 3);
  }

  async #renew(): Promise<void> {
    const now = this.#options.clock.now();
    await this.#streams.publish(`${this.#streams.name}.a.${this.#options.processId}`, new Uint8Array());
    this.#aliveAt = now;
  }

  async #write(group: string, member: BackplaneMember): Promise<void> {
    await this.#streams.publish(this.#subject(group, member.key), encodeMember(member));
  }

  async #purge(filter: string): Promise<void> {
    await this.#streams.using(() => this.#link.api(`STREAM.PURGE.${this.#streams.name}-members`, { filter }));
  }

  #subject(group: string, key: string): string {
    return `${this.#streams.name}.m.${nameToken(group)}.${this.#options.processId}.${nameToken(key)}`;
  }
}

/** The length of the key in bytes, the key in UTF-16, so that any text is possible, and the payload. */
function encodeMember({ key, payload }: BackplaneMember): Uint8Array {
  const name = Buffer.from(key, "utf16le");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(name.length);
  return Buffer.concat([length, name, payload]);
}

function decodeMember(data: Uint8Array): BackplaneMember {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const end = 4 + bytes.readUInt32BE();
  return { key: bytes.toString("utf16le", 4, end), payload: bytes.subarray(end) };
}
