// @ts-check
// Hono on Node: one route for WebSockets, event streams, streams, polls and sessions, behind the application's own middleware.
import { createAdaptorServer, upgradeWebSocket } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { createChannelStore } from "unichannel";
import { openSession, pollGroup, withChannel } from "unichannel/hono";
import { attach } from "unichannel/node";
import { WebSocketServer } from "ws";
import { count, echo, refusalOf, run } from "../live.js";

const app = new Hono();
const store = createChannelStore();

// No middleware runs for it.
app.get("/bare", (c) => withChannel(c, count));

app.use("/live/*", async (c, next) => {
  c.header("X-Framework", "hono");
  await next();
});

app.get("/", (c) => c.text("a page of Hono"));
app.post("/news", async (c) => {
  store.publish("news", await c.req.text());
  return c.body(null, 204);
});
app.get("/stats", (c) => c.json(attached.stats()));

app.use("/live", async (c, next) => {
  const status = refusalOf(c.req.query("user"));
  if (status !== undefined) throw new HTTPException(status);
  await next();
});
app.all("/live", (c) => {
  if (c.req.query("as") === "session") return openSession(c, echo);
  if (c.req.query("as") === "poll") return pollGroup(c, store, "news");
  return withChannel(c, count);
});

// The WebSockets of @hono/node-server on the same server: it gets every upgrade, and those of other paths are left to it.
app.get(
  "/other",
  upgradeWebSocket(() => ({ onOpen: (_event, ws) => ws.send("from Hono") })),
);

const websocket = { server: new WebSocketServer({ noServer: true }) };
const server = /** @type {import("node:http").Server} */ (createAdaptorServer({ fetch: app.fetch, websocket }));
const attached = attach(server, { upgrades: ["/live", "/bare"] });

server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => run(server, attached));
