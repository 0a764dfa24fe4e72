// Where stores come from. `MemoryChannelStore` is the seed's class: groups in this process alone.

import { BackplaneStreams } from "./backplane-streams.ts";
import type { ChannelStore, ChannelStoreOptions } from "./channel-store.ts";
import { GroupStore } from "./group-store.ts";
import { LocalStreams } from "./local-streams.ts";

/** A store of groups: in this process, or with a backplane in all processes that share it. */
export function createChannelStore<Attachment = unknown>(
  options: ChannelStoreOptions<Attachment> = {},
): ChannelStore<Attachment> {
  const { backplane } = options;
  if (backplane === undefined) return new MemoryChannelStore<Attachment>(options);
  return new GroupStore<Attachment>(options, (owner) => new BackplaneStreams(backplane, owner));
}

export class MemoryChannelStore<Attachment = unknown> extends GroupStore<Attachment> {
  constructor(options: Omit<ChannelStoreOptions<Attachment>, "backplane"> = {}) {
    super(options, (owner) => new LocalStreams(owner));
  }
}
