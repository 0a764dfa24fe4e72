// Where stores come from. `MemoryChannelStore` is the seed's class: groups in this process alone.

import { checkOptionNames } from "../base/option-names.ts";
import { BackplaneStreams } from "./backplane-streams.ts";
import type { ChannelStore, ChannelStoreOptions } from "./channel-store.ts";
import { GroupStore, STORE_OPTIONS } from "./group-store.ts";
import { LocalStreams } from "./local-streams.ts";

/** A store of groups: in this process, or with a backplane in all processes that share it. */
export function createChannelStore<Attachment = unknown, Out = unknown>(
  options: ChannelStoreOptions<Attachment, Out> = {},
): ChannelStore<Attachment, Out> {
  checkOptionNames("createChannelStore", options, STORE_OPTIONS);
  const { backplane } = options;
  if (backplane === undefined) return new MemoryChannelStore<Attachment, Out>(options);
  return new GroupStore<Attachment, Out>(options, (owner) => new BackplaneStreams(backplane, owner));
}

export class MemoryChannelStore<Attachment = unknown, Out = unknown> extends GroupStore<Attachment, Out> {
  constructor(options: Omit<ChannelStoreOptions<Attachment, Out>, "backplane"> = {}) {
    super(options, (owner) => new LocalStreams(owner));
  }
}
