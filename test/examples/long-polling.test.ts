import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { download, textOf, textsOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/long-polling.js", () => {
  it("answers all polls that wait, with one event", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "long-polling", async ({ url }) => {
      const start = performance.now();
      const polls = [download(url), download(url)];
      await delay(500);
      assert.equal(await textOf(`${url}/event`), "answered 2\n");
      for (const poll of polls) {
        const answer = await poll;
        assert.equal(answer.status, 200);
        assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
        assert.equal(answer.headers["content-length"], "14", "a whole response, so that the connection can be reused");
        assert.equal(textsOf(answer).join(""), "hello, polling");
        assert.ok(answer.headAt - start >= 495, "it waited for the event");
      }
      assert.equal(await textOf(`${url}/event`), "answered 0\n");
    }),
  );
});
