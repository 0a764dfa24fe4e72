// The iterator of `for await (const message of channel)`.

import { ChannelError } from "../base/errors.ts";
import type { Message } from "./channel.ts";
import type { Inbox } from "./inbox.ts";

const DONE: IteratorResult<Message, undefined> = { done: true, value: undefined };

/** Iterators that were dropped without `return()`: messages that wait for them would hold the channel's end back for ever. */
const abandoned = new FinalizationRegistry<WeakRef<Inbox>>((inbox) => inbox.deref()?.stopPulling());

/** `hasReceiver`: tells whether the channel has a receiver by now, which takes the messages. */
export function iterate(inbox: Inbox, hasReceiver: () => boolean): AsyncIterableIterator<Message, undefined> {
  let hasPulled = false;
  let isOver = false;
  const iterator: AsyncIterableIterator<Message, undefined> = {
    next() {
      if (isOver) return Promise.resolve(DONE);
      if (hasReceiver()) return Promise.reject(new ChannelError("HANDLER_EXISTS"));
      if (!hasPulled) abandoned.register(iterator, new WeakRef(inbox));
      hasPulled = true;
      return inbox.pull();
    },
    return() {
      // An iterator that was never used has taken no messages.
      if (hasPulled && !isOver) inbox.stopPulling();
      isOver = true;
      return Promise.resolve(DONE);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
  return iterator;
}
