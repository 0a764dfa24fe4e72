// @ts-check
// Vite's dev server as middleware of Express: channels and hot module replacement on one server and one port.
import { createServer } from "node:http";
import express from "express";
import { attach } from "unichannel/node";
import { createServer as createViteServer } from "vite";
import { live, publish, refusalOf, run } from "../live.js";

const app = express();
const server = createServer(app);
const attached = attach(server, { upgrades: "/live" });
const vite = await createViteServer({
  root: import.meta.dirname,
  // Vite answers its own upgrades on this server, and leaves those of "/live" alone.
  server: { middlewareMode: true, hmr: { server } },
  appType: "mpa",
  logLevel: "error",
});

app.use((_req, res, next) => {
  res.setHeader("X-Framework", "vite");
  next();
});
app.use("/live", (req, res, next) => {
  const status = refusalOf(/** @type {string | undefined} */ (req.query["user"]));
  if (status !== undefined) res.sendStatus(status);
  else next();
});
app.all("/live", (req, res) => void live(attached.request(req, res)));

app.post("/news", express.text(), (req, res) => {
  publish(req.body);
  res.sendStatus(204);
});
app.get("/stats", (_req, res) => void res.json(attached.stats()));
app.use(vite.middlewares);

server.listen(Number(process.env["PORT"] ?? 3000), "127.0.0.1", () =>
  run(server, attached, async () => {
    server.close();
    await vite.close();
  }),
);
