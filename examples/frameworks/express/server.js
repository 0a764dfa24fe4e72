// @ts-check
// Express: one route for WebSockets, event streams, streams, polls and sessions, behind the application's own middleware.
import { createServer } from "node:http";
import express from "express";
import { attach } from "unichannel/node";
import { WebSocketServer } from "ws";
import { live, publish, refusalOf, run } from "../live.js";

const app = express();
const server = createServer(app);
const attached = attach(server, { upgrades: "/live" });

app.use((_req, res, next) => {
  res.setHeader("X-Framework", "express");
  next();
});
// A body parser that reads the posted messages of a session: Express leaves them in `req.body`, where they are found.
app.use(express.json(), express.text());

app.get("/", (_req, res) => void res.send("a page of Express"));
app.post("/news", (req, res) => {
  publish(req.body);
  res.sendStatus(204);
});
app.get("/stats", (_req, res) => void res.json(attached.stats()));

app.use("/live", (req, res, next) => {
  const status = refusalOf(/** @type {string | undefined} */ (req.query["user"]));
  if (status !== undefined) res.sendStatus(status);
  else next();
});
app.all("/live", (req, res) => void live(attached.request(req, res)));

// Another owner of upgrades on the same server: those outside "/live" are left to it.
const others = new WebSocketServer({ noServer: true });
server.on("upgrade", (req, socket, head) => {
  if (req.url === "/other") others.handleUpgrade(req, socket, head, (ws) => ws.send("from ws"));
});

server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () => run(server, attached));
