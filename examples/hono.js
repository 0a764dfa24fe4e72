// @ts-check
// A Hono application with its own routes and middleware. `withChannel(c.req.raw, …).response` makes a request a channel.
import { Hono } from "hono";
import { serve, withChannel } from "unichannel";

const app = new Hono();

app.use(async (c, next) => {
  await next();
  console.log(c.req.method, c.req.path);
});

app.get("/", (c) => c.text("Routes: /echo/:name (a WebSocket), /count/:to (a stream)\n"));

app.get("/echo/:name", (c) => {
  if (c.req.header("upgrade") !== "websocket") return c.text("This route wants a WebSocket.\n", 426);
  const name = c.req.param("name");
  return withChannel(c.req.raw, (channel) => {
    channel.onMessage((message) => channel.send(`${name}: ${message}`));
  }).response;
});

app.get("/count/:to", (c) => {
  const to = Number(c.req.param("to"));
  return withChannel(c.req.raw, (channel) => {
    let count = 0;
    const timer = setInterval(() => {
      count += 1;
      channel.send(`${count}\n`, count >= to);
    }, 200);
    channel.onClose(() => clearInterval(timer));
  }).response;
});

const server = await serve({ fetch: app.fetch, host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) });

console.log(`Try: curl ${server.url}/ – curl -N ${server.url}/count/5 – and a WebSocket to ${server.url}/echo/ann`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
