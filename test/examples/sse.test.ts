import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { events, textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/sse.js", () => {
  it("sends events with type, id and retry, and continues after Last-Event-ID", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "sse", async ({ url }) => {
      assert.match(await textOf(url), /new EventSource/);
      const fresh = await events(`${url}/events`, {}, 3);
      assert.deepEqual(fresh, [
        "event: hello\nretry: 1000\ndata: welcome",
        'id: 1\ndata: {"count":1}',
        'id: 2\ndata: {"count":2}',
      ]);
      const resumed = await events(`${url}/events`, { "Last-Event-ID": "7" }, 2);
      assert.deepEqual(resumed, ["event: hello\nretry: 1000\ndata: welcome back", 'id: 8\ndata: {"count":8}']);
    }),
  );
});
