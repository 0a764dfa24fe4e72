// @ts-check
// Fastify: one route for WebSockets, event streams, streams, polls and sessions, behind hooks.
import Fastify from "fastify";
import { attach } from "unichannel/node";
import { WebSocketServer } from "ws";
import { live, publish, refusalOf, run } from "../live.js";

// Browsers open connections before they have a request: Fastify would wait for them when it closes.
const app = Fastify({ forceCloseConnections: true });
const attached = attach(app.server, { upgrades: "/live" });
app.addHook("preClose", () => attached.stop());

app.addHook("onRequest", async (_request, reply) => {
  reply.header("X-Framework", "fastify");
});

app.get("/", async () => "a page of Fastify");
app.post("/news", async (request, reply) => {
  publish(String(request.body));
  return reply.code(204).send();
});
app.get("/stats", async () => attached.stats());

/** @type {import("fastify").preHandlerAsyncHookHandler} */
async function requireUser(request, reply) {
  const status = refusalOf(/** @type {{ user?: string }} */ (request.query).user);
  if (status !== undefined) return reply.code(status).send();
}

app.all("/live", { preHandler: requireUser }, (request, reply) => {
  reply.hijack();
  // Fastify keeps the fields of its hooks in the reply, and would write them with its own response.
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) reply.raw.setHeader(name, value);
  // Its parser of text has read the posted messages of a session.
  live(attached.request(request.raw, reply.raw, { body: request.body }));
});

// Another owner of upgrades on the same server: those outside "/live" are left to it.
const others = new WebSocketServer({ noServer: true });
app.server.on("upgrade", (req, socket, head) => {
  if (req.url === "/other") others.handleUpgrade(req, socket, head, (ws) => ws.send("from ws"));
});

await app.listen({ port: Number(process.env["PORT"] ?? 3000), host: "127.0.0.1" });
run(app.server, attached, () => app.close());
