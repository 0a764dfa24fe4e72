import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StreamView } from "../../src/client/index.ts";
import { EventDecoder } from "../../src/codec/sse.ts";
import { until } from "../support/wait.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

const WHOLE = "“Why?” – A channel is one conversation with one client, whatever carries it.";

/** A viewer, until its view is what it waits for. */
async function watch(url: string, isEnough: (view: StreamView) => boolean): Promise<StreamView> {
  const view = new StreamView();
  const leaving = new AbortController();
  const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal: leaving.signal });
  const decoder = new EventDecoder();
  for await (const bytes of response.body!) {
    decoder.push(bytes);
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) view.receive(event.data);
    if (isEnough(view)) break;
  }
  leaving.abort();
  return view;
}

describe("examples/token-stream.js", () => {
  it("gives all viewers the whole answer, late ones too, and stops it for anybody", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "token-stream", async ({ url, stdout }) => {
      const ask = (): Promise<Response> => fetch(url, { method: "POST", body: "Why?" });
      const early = watch(url, ({ state }) => state === "done");
      assert.equal((await ask()).status, 202);
      const { text, state, info } = await early;
      assert.deepEqual([text, state, info], [WHOLE, "done", { question: "Why?" }]);
      await until(() => stdout().includes("Why? done\n"), "the server knows");
      const late = await watch(url, ({ state }) => state === "done");
      assert.deepEqual([late.text, late.stream], [WHOLE, (await early).stream]);
      await ask();
      const next = await watch(url, ({ stream, text: begun }) => stream !== late.stream && begun !== "");
      assert.equal(next.text, WHOLE.slice(0, next.text.length));
      assert.equal((await fetch(url, { method: "DELETE" })).status, 204);
      await until(() => stdout().includes("Why? stopped\n"), "it is stopped");
      assert.equal((await fetch(url, { method: "DELETE" })).status, 404);
    }),
  );
});
