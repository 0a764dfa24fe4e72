// The HTTP work on Hono, on its server for Node.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { ready } from "../lib/ready.js";

const app = new Hono();
app.get("/", (c) => c.text("hello world"));
app.post("/", async (c) => {
  await c.req.arrayBuffer();
  return c.text("hello world");
});
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => ready(port));
