// The entry `unichannel/mcp`: an event store for the Model Context Protocol's streamable HTTP transport, on the histories of
// groups. A client whose connection breaks comes back with `Last-Event-ID` and receives what it has missed, also from another
// process of the same backplane. The interface is that of `@modelcontextprotocol/sdk` by its shape: no import of it is needed.

import { ChannelError } from "./base/errors.ts";
import { checkFilledString, checkMethods } from "./base/option-values.ts";
import { json } from "./channel/send-data.ts";
import type { AnyChannelStore, ChannelStore, GroupHistory } from "./group/channel-store.ts";
import type { HistoryMessage } from "./group/message.ts";

/** The event store that `eventStore` of the SDK's `StreamableHTTPServerTransport` takes. */
export interface McpEventStore {
  /** Keeps a message of a stream. Resolves to its id. Rejects with BACKPLANE_UNAVAILABLE. */
  storeEvent(streamId: string, message: object): Promise<string>;
  /**
   * Sends the messages of a stream that follow the one with this id, in order. Resolves to the id of the stream. Rejects with
   * BAD_REQUEST for a text that is no id of this session, with STREAM_LOST if messages after it are not kept any more, and with
   * BACKPLANE_UNAVAILABLE.
   */
  // A method with parameters of any message: the SDK gives a function for its own type of messages.
  replayEventsAfter(
    lastEventId: string,
    { send }: { readonly send: (eventId: string, message: never) => Promise<void> },
  ): Promise<string>;
}

/** The parts of a store that `mcpEventStore` uses: one of `createChannelStore` without a codec. */
export type EventHistory = Pick<ChannelStore, "publish"> & Pick<AnyChannelStore, "history">;

/**
 * Creates the event store of one MCP session on a store of groups. Each stream of the session is a group: the store's `history`
 * says how many messages of it are kept and for how long, and its backplane shares them with other processes. Each transport needs
 * an event store of its own, because the SDK gives the streams of all sessions the same names. Throws BAD_OPTION.
 *
 * @param store a store without a codec
 * @param sessionId the id of the transport's session: the result of its `sessionIdGenerator`
 */
export function mcpEventStore(store: EventHistory, sessionId: string): McpEventStore {
  checkMethods("a store of createChannelStore", ["publish", "history"])("the first argument of mcpEventStore", store);
  checkFilledString("the session's id", sessionId);
  return new GroupEventStore(store, sessionId);
}

class GroupEventStore implements McpEventStore {
  readonly #store: EventHistory;
  readonly #prefix: string;
  /** Replays under way in this process, by stream. */
  readonly #replays = new Map<string, Promise<void>>();

  constructor(store: EventHistory, sessionId: string) {
    this.#store = store;
    // With its length, so that no session and stream together have the name of others.
    this.#prefix = `mcp:${sessionId.length}:${sessionId}:`;
  }

  async storeEvent(streamId: string, message: object): Promise<string> {
    const { id } = await this.#store.publish(this.#prefix + streamId, json(message));
    // The SDK writes the message when this resolves, to the response that it knows then. While the stream is replayed to a new
    // response, it does not know that one: a message that is not in the replay would reach nobody.
    for (let replay = this.#replays.get(streamId); replay !== undefined; replay = this.#replays.get(streamId)) {
      await replay;
    }
    return encodeEventId(streamId, id);
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { readonly send: (eventId: string, message: never) => Promise<void> },
  ): Promise<string> {
    const found = decodeEventId(lastEventId);
    if (found === undefined) throw new ChannelError("BAD_REQUEST", "Last-Event-ID is no id of an event");
    const { streamId, id } = found;
    const ended = this.#begin(streamId);
    try {
      const history = await this.#store.history(this.#prefix + streamId, id);
      for (const { id: each, data } of kept(history)) await send(encodeEventId(streamId, each), data as never);
      return streamId;
    } finally {
      // The SDK has the new response a few microtasks after this function has resolved.
      setImmediate(ended);
    }
  }

  /** Holds the results of `storeEvent` for a stream until the returned function is called. */
  #begin(streamId: string): () => void {
    const before = this.#replays.get(streamId);
    let ended!: () => void;
    const own = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const all = before === undefined ? own : Promise.all([before, own]).then(() => {});
    this.#replays.set(streamId, all);
    void all.then(() => {
      if (this.#replays.get(streamId) === all) this.#replays.delete(streamId);
    });
    return ended;
  }
}

/** Returns the messages of a stream, without those that the SDK stores only for their id. */
function kept({ messages, reset }: GroupHistory): readonly HistoryMessage[] {
  if (reset) throw new ChannelError("STREAM_LOST", "messages after Last-Event-ID are not kept any more");
  return messages.filter(({ data }) => Object.keys(data as object).length > 0);
}

/** An id that means nothing to clients: the stream, with its length, and the message's id in the history. */
function encodeEventId(streamId: string, id: string): string {
  return Buffer.from(`${streamId.length}:${streamId}${id}`).toString("base64url");
}

function decodeEventId(eventId: string): { readonly streamId: string; readonly id: string } | undefined {
  const text = Buffer.from(eventId, "base64url").toString();
  const length = /^(\d{1,4}):/.exec(text)?.[1];
  if (length === undefined) return undefined;
  const from = length.length + 1;
  const to = from + Number(length);
  const [streamId, id] = [text.slice(from, to), text.slice(to)];
  return id === "" || encodeEventId(streamId, id) !== eventId ? undefined : { streamId, id };
}
