// Lists members of this process as present, with the JSON value that each of them joined with.

import { randomBytes } from "node:crypto";
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
    member.state.presenceKey ??= `${this.#storeId}-${(this.#count += 1)}`;
    this.#source.enter(group, { key: member.state.presenceKey, payload });
  }

  /** Does nothing for a member that is not listed. */
  leave(group: string, { state }: Member): void {
    const key = state instanceof JoinState ? state.presenceKey : undefined;
    if (key !== undefined) this.#source.leave(group, key);
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
