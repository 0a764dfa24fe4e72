// One endpoint, four ways: a WebSocket, an EventSource, a streaming fetch and a long poll all read /ticks.

import { type Channel, type ChannelRequest, event, withChannel } from "../src/index.ts";

interface Tick {
  readonly id: number;
  /** When it was sent, in milliseconds since 1970; the page shows the latency. */
  readonly at: number;
}

const TICK_MS = 500;
/** Ticks kept for clients that were away: a poll between two answers, an EventSource that reconnects. */
const KEPT = 50;

const recent: Tick[] = [];
/** The listening channels. A poll is answered by one message. */
const listeners = new Map<Channel, { readonly isPoll: boolean }>();

export function ticks(request: ChannelRequest): Channel {
  // A client that comes back says which tick it saw last, a browser's EventSource by itself. Others begin with the next one.
  const { query } = request;
  const isPoll = query.has("after");
  const after = Number(query.get("after") ?? request.lastEventId ?? query.get("since") ?? Infinity);

  return withChannel(request, (channel) => {
    listeners.set(channel, { isPoll });
    channel.onClose(() => listeners.delete(channel));
    const missed = recent.filter((tick) => tick.id > after);
    if (missed.length > 0) send(channel, missed, isPoll);
  });
}

/** Each tick is a line of JSON: in a plain stream the line ends separate the ticks. */
function send(channel: Channel, news: readonly Tick[], isPoll: boolean): void {
  const lines = news.map((tick) => `${JSON.stringify(tick)}\n`).join("");
  channel.send(event({ id: String(news.at(-1)?.id), data: lines }), isPoll);
}

let lastId = 0;
function tick(): void {
  lastId += 1;
  const news = { id: lastId, at: Date.now() };
  recent.push(news);
  if (recent.length > KEPT) recent.shift();
  for (const [channel, { isPoll }] of listeners) send(channel, [news], isPoll);
}
setInterval(tick, TICK_MS).unref();
