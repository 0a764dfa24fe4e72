// Creates stores of groups. `MemoryChannelStore` is the seed's name for a store of groups in this process.

import { badOption, checkOptions } from "../base/option-values.ts";
import type { ChannelStore, ChannelStoreOptions } from "./channel-store.ts";
import type { Publishable } from "./group-member.ts";
import { GroupStore } from "./group-store.ts";
import { STORE_OPTIONS } from "./store-options.ts";
import { BackplaneSource } from "./stream/backplane-source.ts";
import { LocalSource } from "./stream/local.ts";

/** Creates a store of groups: in this process, or with `backplane` in all processes that share it. Throws BAD_OPTION. */
export function createChannelStore<Attachment = unknown, Out = Publishable>(
  options?: ChannelStoreOptions<Attachment, Out>,
): ChannelStore<Attachment, Out>;
// The last signature is what `ReturnType<typeof createChannelStore>` takes: a store without a codec.
export function createChannelStore(options?: ChannelStoreOptions): ChannelStore;
export function createChannelStore<Attachment, Out>(
  options: ChannelStoreOptions<Attachment, Out> = {},
): ChannelStore<Attachment, Out> {
  checkOptions("createChannelStore", options, STORE_OPTIONS);
  const { backplane } = options;
  if (backplane === undefined) return new MemoryChannelStore<Attachment, Out>(options);
  return new GroupStore<Attachment, Out>(options, (owner) => new BackplaneSource(backplane, owner));
}

/** A store of groups in this process, under the name of http-kit's page; `createChannelStore()` returns one as well. */
export class MemoryChannelStore<Attachment = unknown, Out = Publishable> extends GroupStore<Attachment, Out> {
  constructor(options: Omit<ChannelStoreOptions<Attachment, Out>, "backplane"> = {}) {
    super(options, (owner) => {
      if ((options as ChannelStoreOptions).backplane !== undefined) {
        throw badOption("MemoryChannelStore has no backplane; use createChannelStore({ backplane })");
      }
      return new LocalSource(owner);
    });
  }
}
