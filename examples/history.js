// @ts-check
// A client that was away, an event stream or a poll, gets exactly the messages that it missed. The group's history keeps
// published messages, and each has an id.
import { createChannelStore, json, pollGroup, serve, withChannel } from "unichannel";

const PAGE = `<!doctype html><title>History</title><p>Stop your network for a moment: nothing is lost.</p><pre></pre><script>
  const events = new EventSource("/events");
  const show = (text) => document.querySelector("pre").append(text, "\\n");
  events.onmessage = (event) => show(event.data);
  events.addEventListener("reset", () => show("(away too long: this is all that is kept)"));
</script>`;

const store = createChannelStore({ history: { size: 1000, ttlMs: 300_000 } });

const server = await serve(
  async (request) => {
    switch (request.path) {
      case "/":
        return { headers: { "Content-Type": "text/html; charset=utf-8" }, body: PAGE };
      case "/say":
        return json(await store.publish("lobby", await request.text()));
      case "/events":
        // A browser that reconnects sends the last id that it saw; other clients use ?since=.
        return withChannel(request, (channel) => {
          const since = request.lastEventId ?? request.query.get("since");
          store.addToGroup("lobby", channel, undefined, { since, ids: channel.isWebSocket });
        });
      case "/poll":
        return pollGroup(request, store, "lobby");
      default:
        return { status: 404, body: "try /, /say, /events or /poll\n" };
    }
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(
  `Open ${server.url}/ – say: curl -d hello '${server.url}/say'` +
    ` – all that is kept: curl '${server.url}/poll?since=' – what comes after an id: curl '${server.url}/poll?since=ID'`,
);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
