// @ts-check
// A ChannelStore: groups of channels over any transport. A poll says which messages it has (`since_ts`). The store keeps that
// value for each channel, so each one gets exactly its new messages.
import { json, MemoryChannelStore, serve, withChannel } from "unichannel";

/** @type {MemoryChannelStore<number>} */
const store = new MemoryChannelStore();

/** The last 100 messages of all groups. @type {{ group: string, ts: number, text: string }[]} */
const messages = [];
let lastTs = Date.now();

/** @param {string} group @param {number | undefined} ts */
const since = (group, ts = 0) => messages.filter((message) => message.group === group && message.ts > ts);

/** @param {string} group @param {string} text */
function tell(group, text) {
  // Two messages of one millisecond still have an order.
  lastTs = Math.max(Date.now(), lastTs + 1);
  messages.push({ group, ts: lastTs, text });
  if (messages.length > 100) messages.shift();
  return store.broadcast(group, (channel, sinceTs) => {
    // A WebSocket or an event stream stays, and has all messages up to this one. A poll is answered and leaves.
    store.addToGroup(group, channel, lastTs);
    return since(group, sinceTs);
  });
}

const server = await serve(
  async (request) => {
    const group = request.query.get("group") ?? "lobby";
    if (request.method === "POST") return `${tell(group, await request.text())} listening\n`;

    const sinceTs = Number(request.query.get("since_ts") ?? lastTs);
    return withChannel(request, (channel) => {
      channel.onMessage((message) => tell(group, String(message)));
      // Messages that it missed between two polls come first: for a poll they are the whole answer.
      const missed = since(group, sinceTs);
      if (missed.length > 0) channel.send(json(missed));
      // A channel leaves the group when it closes.
      store.addToGroup(group, channel, lastTs);
    });
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(
  `Wait: curl '${server.url}/?group=a' – tell: curl -d hello '${server.url}/?group=a'` +
    ` – read again: curl '${server.url}/?group=a&since_ts=0' – a WebSocket to the same URL sees and says the same`,
);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
