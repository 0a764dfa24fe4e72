// The seed's ChannelStore: groups of channels in this process, each member with an attachment.
// Contract C1–C6 of the page that the project starts from, with what it left open settled: one member's failure never
// stops the rest, event streams and WebSockets stay open, and a channel that closes leaves by itself.

import type { Channel } from "../channel/channel.ts";
import { isSendInit, json, type SendData } from "../channel/send-data.ts";

/** What to send: for all members the same, or made for each. `undefined` sends nothing to that member. */
export type Broadcast<Attachment> = unknown | ((channel: Channel, attachment: Attachment) => unknown);

export interface ChannelStore<Attachment = unknown> {
  /** Adds a channel; the same channel again replaces its attachment. It leaves by itself when it closes. */
  addToGroup(group: string, channel: Channel, attachment?: Attachment): void;
  /** Removes a channel: true if it was there. An empty group is dropped. */
  removeFromGroup(group: string, channel: Channel): boolean;
  /**
   * Sends to all who are members now; returns to how many. Plain HTTP channels get it as their answer and are closed,
   * the rest stay open. Text, bytes and `{ status, headers, body }` are sent as they are, any other value as JSON.
   */
  broadcast(group: string, data: Broadcast<Attachment>): number;
  /** The members and their attachments, as they are now. */
  members(group: string): readonly (readonly [channel: Channel, attachment: Attachment | undefined])[];
  size(group: string): number;
  groups(): readonly string[];
}

export interface ChannelStoreOptions {
  /** Told of what a broadcast function or a send threw for one member. @default console.error */
  readonly onError?:
    | ((error: unknown, context: { readonly group: string; readonly channel: Channel }) => void)
    | undefined;
}

/** A store of groups in this process. */
export function createChannelStore<Attachment = unknown>(options: ChannelStoreOptions = {}): ChannelStore<Attachment> {
  return new MemoryChannelStore<Attachment>(options);
}

export class MemoryChannelStore<Attachment = unknown> implements ChannelStore<Attachment> {
  readonly #groups = new Map<string, Map<Channel, Attachment | undefined>>();
  readonly #onError: NonNullable<ChannelStoreOptions["onError"]>;

  constructor({ onError }: ChannelStoreOptions = {}) {
    this.#onError = onError ?? ((error, { group }) => console.error(`unichannel: broadcast to ${group}`, error));
  }

  addToGroup(group: string, channel: Channel, attachment?: Attachment): void {
    let members = this.#groups.get(group);
    if (members === undefined) {
      members = new Map();
      this.#groups.set(group, members);
    }
    const isNew = !members.has(channel);
    members.set(channel, attachment);
    // Runs at once for a channel that has closed already: it is never left behind.
    if (isNew) channel.onClose(() => this.removeFromGroup(group, channel));
  }

  removeFromGroup(group: string, channel: Channel): boolean {
    const members = this.#groups.get(group);
    if (members === undefined || !members.delete(channel)) return false;
    if (members.size === 0) this.#groups.delete(group);
    return true;
  }

  broadcast(group: string, data: Broadcast<Attachment>): number {
    const shared = typeof data === "function" ? undefined : toSendData(data);
    let reached = 0;
    // Over a snapshot: members join and leave while their callbacks run.
    for (const [channel, attachment] of this.members(group)) {
      try {
        const own = typeof data === "function" ? toSendData(data(channel, attachment)) : shared;
        if (own !== undefined && channel.send(own, channel.transport === "http")) reached += 1;
      } catch (error) {
        this.#onError(error, { group, channel });
      }
    }
    return reached;
  }

  members(group: string): readonly (readonly [Channel, Attachment | undefined])[] {
    return [...(this.#groups.get(group) ?? [])];
  }

  size(group: string): number {
    return this.#groups.get(group)?.size ?? 0;
  }

  groups(): readonly string[] {
    return [...this.#groups.keys()];
  }
}

/** Seed: `json-str` of what the function gives. What is a message already needs no encoding. */
function toSendData(value: unknown): SendData | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" || value instanceof Uint8Array || isSendInit(value)) return value;
  return json(value);
}
