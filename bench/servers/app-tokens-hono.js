// The answers of a language model on Hono: its streaming helper, as its documentation has it.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { ready } from "../lib/ready.js";
import { answer, answersUnderWay, lengthIn } from "../lib/tokens.js";

const app = new Hono();
app.get("/running", (c) => c.text(String(answersUnderWay())));
app.get("/answer", (c) =>
  streamSSE(c, async (stream) => {
    const reader = new AbortController();
    stream.onAbort(() => reader.abort());
    for await (const data of answer(lengthIn(c.req.url), reader.signal)) await stream.writeSSE({ data });
  }),
);
serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => ready(port));
