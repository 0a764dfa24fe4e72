// Moves the memberships of a channel whose session goes on in another process: both processes know their stores by the same
// names.

import { ChannelError } from "../base/errors.ts";
import type { AnyChannel } from "../channel/channel.ts";
import type { MembershipMover } from "../session/memberships.ts";
import type { AnyChannelStore } from "./channel-store.ts";
import { GroupStore } from "./group-store.ts";
import { membersOf } from "./memberships.ts";
import type { MovedMember } from "./store-members.ts";

/** The option `stores` of `serve`. */
export type NamedStores = Readonly<Record<string, AnyChannelStore>>;

interface MovedMembership extends MovedMember {
  /** The name of its store. */
  readonly store: string;
  /** Messages to several groups that the channel has received; in the first membership of each store. */
  readonly received?: readonly string[] | undefined;
}

export class StoresMover implements MembershipMover {
  readonly #stores: ReadonlyMap<string, GroupStore>;
  readonly #report: (error: unknown) => void;
  #hasReported = false;

  constructor(stores: NamedStores, report: (error: unknown) => void) {
    this.#stores = new Map(Object.entries(stores) as [string, GroupStore][]);
    this.#report = report;
  }

  leave(channel: AnyChannel): readonly MovedMembership[] {
    const moved: MovedMembership[] = [];
    const asked = new Set<GroupStore>();
    for (const member of membersOf(channel)) {
      const found = [...this.#stores].find(([, store]) => store.has(member));
      if (found !== undefined) {
        const [name, store] = found;
        const received = asked.has(store) ? undefined : store.receivedBy(channel);
        asked.add(store);
        moved.push({ store: name, received: received?.length === 0 ? undefined : received, ...store.moveOut(member) });
      } else if (!this.#hasReported) {
        this.#hasReported = true;
        const hint = "a session leaves with memberships of a store that is not in the option stores: they end";
        this.#report(new ChannelError("BAD_OPTION", hint));
      }
    }
    return moved;
  }

  join(channel: AnyChannel, memberships: readonly unknown[]): void {
    for (const membership of memberships as readonly MovedMembership[]) {
      const store = this.#stores.get(membership.store);
      if (store === undefined) {
        const hint = `a session has come with memberships of the store ${membership.store}, which is not in the option stores`;
        this.#report(new ChannelError("BAD_OPTION", hint));
      } else {
        if (membership.received !== undefined) store.hasReceived(channel, membership.received);
        store.moveIn(channel, membership);
      }
    }
  }
}

/** Throws BAD_OPTION for anything but an object of stores of `createChannelStore`. */
export function checkStores(name: string, value: unknown): void {
  const isObject = typeof value === "object" && value !== null && !(value instanceof GroupStore);
  if (!isObject || !Object.values(value).every((store) => store instanceof GroupStore)) {
    throw new ChannelError(
      "BAD_OPTION",
      `${name} is an object of stores of createChannelStore, by names of your choice`,
    );
  }
}
