// The iterator of `for await (const message of channel)`.

import { ChannelError } from "../base/errors.ts";
import type { Message } from "./channel.ts";
import type { Inbox } from "./inbox.ts";

/** Iterators that were dropped without `return()`: messages that wait for them would hold the channel's end back for ever. */
const abandoned = new FinalizationRegistry<WeakRef<Inbox>>((inbox) => inbox.deref()?.stopPulling());

/** `hasReceiver`: whether the channel has got a receiver meanwhile, which takes the messages. */
export function iterate(inbox: Inbox, hasReceiver: () => boolean): AsyncIterableIterator<Message, undefined> {
  const iterator: AsyncIterableIterator<Message, undefined> = {
    next() {
      return hasReceiver() ? Promise.reject(new ChannelError("HANDLER_EXISTS")) : inbox.pull();
    },
    return() {
      inbox.stopPulling();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  abandoned.register(iterator, new WeakRef(inbox));
  return iterator;
}
