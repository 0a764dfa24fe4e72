// @ts-check
// Server-Sent Events: a channel is an event stream when its client is an EventSource (it accepts text/event-stream).
// The count continues where a client stopped, because a reconnecting EventSource says which event it saw last.
import { event, json, serve, withChannel } from "unichannel";

const PAGE = `<!doctype html><title>Events</title><pre></pre><script>
  const events = new EventSource("/events");
  const show = (event) => document.querySelector("pre").append(event.type, " ", event.data, "\\n");
  events.onmessage = show;
  events.addEventListener("hello", show);
</script>`;

const server = await serve(
  (request) => {
    if (request.path === "/") return { headers: { "Content-Type": "text/html; charset=utf-8" }, body: PAGE };
    return withChannel(request, (channel) => {
      let count = Number(request.lastEventId ?? 0);
      // `retry`: how long the client waits before it comes back, in milliseconds.
      channel.send(event({ event: "hello", data: count === 0 ? "welcome" : "welcome back", retry: 1000 }), {
        close: false,
      });
      const timer = setInterval(() => {
        count += 1;
        channel.send(json({ count }, { event: { id: String(count) } }), { close: false });
      }, 500);
      channel.onClose(() => clearInterval(timer));
    });
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(
  `Open ${server.url}/ – or: curl -N -H 'Accept: text/event-stream' ${server.url}/events` +
    ` – and to go on after 7, add: -H 'Last-Event-ID: 7'`,
);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
