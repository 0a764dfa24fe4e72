// Lists members of this process as present, with the JSON value that each of them joined with.

import { randomBytes } from "node:crypto";
import type { BackplaneMember } from "../backplane/backplane.ts";
import { utf8, utf8Bytes } from "../base/bytes.ts";
import { ChannelError } from "../base/errors.ts";
import { toJson } from "../channel/send-data.ts";
import type { PresentMember } from "./channel-store.ts";
import { JoinState, type Member } from "./member.ts";
import type { StreamSource } from "./stream/source.ts";

export class Presence {
  readonly #source: StreamSource;
  readonly #storeId: string = randomBytes(8).toString("hex");
  #count = 0;

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
  enterMoved(group: string, member: Member, present: BackplaneMember): void {
    if (member.state instanceof JoinState) this.#enter(group, member.state, present);
  }

  /** Goes on listing a member that moves to another process, as long as the backplane does for a process that has died. */
  release(group: string, { state }: Member): BackplaneMember | undefined {
    const present = state instanceof JoinState ? state.present : undefined;
    if (present !== undefined) this.#source.release(group, present.key);
    return present;
  }

  #enter(group: string, state: JoinState, present: BackplaneMember): void {
    state.present = present;
    this.#source.enter(group, present);
  }

  /** Does nothing for a member that is not listed. */
  leave(group: string, { state }: Member): void {
    const present = state instanceof JoinState ? state.present : undefined;
    if (present !== undefined) this.#source.leave(group, present.key);
  }

  /** Resolves with the members of all processes. Entries that no store wrote are reported and left out. */
  async list(group: string, report: (error: unknown, group: string) => void): Promise<readonly PresentMember[]> {
    const members = await this.#source.present(group);
    return members.flatMap(({ key, payload }) => {
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
