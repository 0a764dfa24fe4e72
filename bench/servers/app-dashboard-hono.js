// A dashboard of event streams on Hono: its streaming helper, and a loop over the streams of each panel.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { dashboard } from "../lib/dashboard.js";
import { ready } from "../lib/ready.js";

const panels = new Map();
const { control } = dashboard((group, message) => {
  const event = { event: "update", data: JSON.stringify(message) };
  for (const stream of panelOf(group)) stream.writeSSE(event);
});

const app = new Hono();
app.get("/live", (c) =>
  streamSSE(c, async (stream) => {
    const panel = panelOf(c.req.query("group"));
    panel.add(stream);
    await new Promise((resolve) => stream.onAbort(resolve));
    panel.delete(stream);
  }),
);
app.post("*", (c) => c.body(control(c.req.path)));
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => ready(port));

function panelOf(group) {
  const panel = panels.get(group) ?? new Set();
  panels.set(group, panel);
  return panel;
}
