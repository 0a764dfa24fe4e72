// @ts-check
// Koa: one route for WebSockets, event streams, streams, polls and sessions, behind the application's own middleware.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import Koa from "koa";
import { attach } from "unichannel/node";
import { WebSocketServer } from "ws";
import { live, publish, refusalOf, run } from "../live.js";

const app = new Koa();
const server = createServer();
const attached = attach(server, { upgrades: "/live" });

// Koa prints every error of a connection if nobody listens. A client that vanishes is no error of the application, and one that is
// refused with ctx.throw has its answer (expose).
app.on("error", (error) => {
  if (!error.expose && error.code !== "ECONNRESET" && error.code !== "EPIPE") console.error(error);
});

app.use(async (ctx, next) => {
  ctx.set("X-Framework", "koa");
  await next();
});

app.use(async (ctx, next) => {
  const status = ctx.path === "/live" ? refusalOf(/** @type {string | undefined} */ (ctx.query["user"])) : undefined;
  if (status !== undefined) ctx.throw(status);
  await next();
});

app.use(async (ctx) => {
  switch (ctx.path) {
    case "/":
      ctx.body = "a page of Koa";
      break;
    case "/news":
      publish(await text(ctx.req));
      ctx.status = 204;
      break;
    case "/stats":
      ctx.body = attached.stats();
      break;
    case "/live":
      // Koa sends nothing itself.
      ctx.respond = false;
      live(attached.request(ctx.req, ctx.res));
  }
});

// `callback` takes the middleware that is there when it is called: so it comes last.
server.on("request", app.callback());

// Another owner of upgrades on the same server: those outside "/live" are left to it.
const others = new WebSocketServer({ noServer: true });
server.on("upgrade", (req, socket, head) => {
  if (req.url === "/other") others.handleUpgrade(req, socket, head, (ws) => ws.send("from ws"));
});

server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => run(server, attached));
