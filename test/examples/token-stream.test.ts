import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../support/wait.ts";
import { download, leaveAfter, textsOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/token-stream.js", () => {
  it("sends tokens as they are made, and stops making them when the client leaves", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "token-stream", async ({ url, stdout }) => {
      const answer = await download(`${url}/?q=Why?`);
      const whole = "“Why?” – A channel is one conversation with one client, whatever carries it.\n";
      assert.equal(textsOf(answer).join(""), whole);
      assert.ok(answer.chunks.length >= 12, "each token is a chunk");
      assert.ok(answer.endAt - answer.headAt > 1000, "tokens are sent as they are made");
      await until(() => stdout().includes("made 13 tokens\n"), "the generator ends");
      await leaveAfter(url, 3);
      await until(() => /made [3-8] tokens\n/.test(stdout()), "the generator ends early");
    }),
  );
});
