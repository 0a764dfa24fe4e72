// Where stores come from. `MemoryChannelStore` is the seed's class: groups in this process alone.

import { badOption } from "../base/option-values.ts";
import { BackplaneStreams } from "./backplane-streams.ts";
import type { ChannelStore, ChannelStoreOptions } from "./channel-store.ts";
import { GroupStore } from "./group-store.ts";
import { LocalStreams } from "./local-streams.ts";
import { checkStoreOptions } from "./store-options.ts";

/** A store of groups: in this process, or with a backplane in all processes that share it. */
export function createChannelStore<Attachment = unknown, Out = unknown>(
  options: ChannelStoreOptions<Attachment, Out> = {},
): ChannelStore<Attachment, Out> {
  checkStoreOptions(options);
  const { backplane } = options;
  if (backplane === undefined) return new MemoryChannelStore<Attachment, Out>(options);
  return new GroupStore<Attachment, Out>(options, (owner) => new BackplaneStreams(backplane, owner));
}

export class MemoryChannelStore<Attachment = unknown, Out = unknown> extends GroupStore<Attachment, Out> {
  constructor(options: Omit<ChannelStoreOptions<Attachment, Out>, "backplane"> = {}) {
    super(options, (owner) => {
      if ((options as ChannelStoreOptions).backplane !== undefined) {
        throw badOption("MemoryChannelStore has no backplane; use createChannelStore({ backplane })");
      }
      return new LocalStreams(owner);
    });
  }
}
