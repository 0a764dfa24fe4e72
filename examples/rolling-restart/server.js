// @ts-check
// One of the two servers. Its messages have numbers, and their source outlives the process: a client that says which number
// it has seen last loses nothing, whichever server it reconnects to.
import { event, json, serve, withChannel } from "unichannel";

const TICK_MS = 100;
const KEPT = 600;

/** The number of the latest message. Here the clock counts; elsewhere it is a table, a Redis stream, a log. */
const latest = () => Math.floor(Date.now() / TICK_MS);

let checks = 0;

const server = await serve(
  (request) => {
    if (request.path === "/health") {
      checks += 1;
      // The second check: haproxy knows that this server is up.
      if (checks === 2) console.log("checked");
      return "ok\n";
    }
    return withChannel(request, (channel) => {
      // A reconnecting EventSource sends it by itself, other clients in the URL. Without it, start with the next message.
      const since = Number(request.lastEventId ?? request.query.get("since") ?? latest());
      let last = Math.max(since, latest() - KEPT);

      const send = () => {
        /** @type {{ id: number, by: number }[]} */
        const news = [];
        while (last < latest()) news.push({ id: ++last, by: process.pid });
        if (news.length === 0) return;
        if (channel.transport === "stream") channel.send(json(news));
        else for (const one of news) channel.send(event({ id: String(one.id), data: JSON.stringify(one) }));
      };

      send();
      const timer = setInterval(send, TICK_MS);
      channel.onClose(() => clearInterval(timer));
    });
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9091) },
);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
