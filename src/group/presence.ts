// Lists members of this process as present, with the JSON value that each of them joined with.

import type { BackplaneMember } from "../backplane/backplane.ts";
import { utf8, utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { toJson } from "../channel/send-data.ts";
import { nodeCrypto } from "../transport/node-modules.ts";
import type { PresenceHandlers, PresentMember } from "./channel-store.ts";
import { JoinState, type Member } from "./member.ts";
import { PresenceView } from "./presence-view.ts";
import type { StreamSource } from "./stream/source.ts";

/** A listed member on its way to another process: JSON. */
export interface MovedPresence {
  readonly key: string;
  readonly info: string;
  /** For the backplane of the other process. */
  readonly from: string | undefined;
}

export class Presence {
  readonly #source: StreamSource;
  readonly #storeId: string = nodeCrypto().randomBytes(8).toString("hex");
  #count = 0;
  readonly #watched = new Map<string, { readonly view: PresenceView; end: (() => void) | undefined }>();

  constructor(source: StreamSource) {
    this.#source = source;
  }

  /** Lists a member. Polls do not join, so they cannot be listed. */
  enter(group: string, member: Member, payload: Uint8Array): void {
    if (member.hasLeft) return;
    member.state ??= new JoinState();
    if (!(member.state instanceof JoinState)) return;
    const key = member.state.present?.key ?? `${this.#storeId}-${(this.#count += 1)}`;
    this.#enter(group, member.state, { key, payload });
  }

  /** Lists a member that has come from another process, under the key that it has had there. */
  enterMoved(group: string, member: Member, { key, info, from }: MovedPresence): void {
    if (member.state instanceof JoinState) this.#enter(group, member.state, { key, payload: utf8Bytes(info) }, from);
  }

  /** Goes on listing a member that moves to another process, as long as the backplane does for a process that has died. */
  release(group: string, { state }: Member): MovedPresence | undefined {
    const present = state instanceof JoinState ? state.present : undefined;
    if (present === undefined) return undefined;
    const { key, payload } = present;
    return { key, info: utf8(payload), from: this.#source.release(group, key) };
  }

  #enter(group: string, state: JoinState, present: BackplaneMember, from?: string): void {
    state.present = present;
    this.#source.enter(group, present, from);
  }

  /** Tells a watcher of the members that are present, and of each change, until the result is called. */
  watch(group: string, watcher: PresenceHandlers, report: (error: unknown, group: string) => void): () => void {
    let watched = this.#watched.get(group);
    if (watched === undefined) {
      const view = new PresenceView(group, report);
      watched = { view, end: undefined };
      this.#watched.set(group, watched);
    }
    const { view } = watched;
    view.add(watcher);
    watched.end ??= this.#source.watchPresence(view);
    const { end } = watched;
    return () => {
      view.delete(watcher);
      if (view.isWatched || this.#watched.get(group)?.view !== view) return;
      this.#watched.delete(group);
      end();
    };
  }

  /** Ends all watches. */
  close(): void {
    for (const { end } of this.#watched.values()) end?.();
    this.#watched.clear();
  }

  /** Does nothing for a member that is not listed. */
  leave(group: string, { state }: Member): void {
    const present = state instanceof JoinState ? state.present : undefined;
    if (present !== undefined) this.#source.leave(group, present.key);
  }

  /** Resolves with the members of all processes. Entries that no store wrote are reported and left out. */
  async list(group: string, report: (error: unknown, group: string) => void): Promise<readonly PresentMember[]> {
    // A member that moves may be listed by both processes for a moment.
    const members = new Map((await this.#source.present(group)).map((member) => [member.key, member]));
    return [...members.values()].flatMap(({ key, payload }) => {
      try {
        return [{ key, info: JSON.parse(utf8(payload)) as unknown }];
      } catch (cause) {
        report(new ChannelError("BAD_DATA", "the payload of a member in the backplane is not JSON", { cause }), group);
        return [];
      }
    });
  }
}

/** Throws BAD_DATA for a value that JSON cannot express. */
export function presencePayload(info: unknown): Uint8Array {
  const text = toJson(info);
  if (text === undefined) throw new ChannelError("BAD_DATA", "JSON has no form for the presence");
  return utf8Bytes(text);
}
