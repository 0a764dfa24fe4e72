import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../support/wait.ts";
import { download, leaveAfter, textsOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/streaming.js", () => {
  it(
    "sends ten messages 200 ms apart, ends after 10 s, and notices a client that leaves",
    { timeout: TIMEOUT_MS },
    (t) =>
      runExample(t, "streaming", async ({ url, stdout }) => {
        const start = performance.now();
        const answer = await download(url);
        assert.equal(answer.status, 200);
        assert.equal(answer.headers["content-type"], "text/plain; charset=utf-8");
        assert.equal(answer.headers["transfer-encoding"], "chunked");
        assert.deepEqual(
          textsOf(answer),
          Array.from({ length: 10 }, (_, id) => `message from server #${id}`),
        );
        // A timer may be late on a busy machine, never early; 5 ms because timers and this clock round differently.
        for (const [id, { at }] of answer.chunks.entries()) assert.ok(at - start >= id * 200 - 5, `message #${id}`);
        assert.ok(answer.endAt - start >= 9_995, "the end");
        await until(() => stdout().includes("closed by server: server-close\n"), "the close handler prints its line");

        const first = await leaveAfter(url, 2);
        assert.deepEqual(first, ["message from server #0", "message from server #1"]);
        await until(
          () => stdout().includes("closed by client: client-close\n"),
          "the close handler reports the client",
        );
      }),
  );
});
