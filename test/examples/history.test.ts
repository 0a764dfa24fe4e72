import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { events, Socket, textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/history.js", () => {
  it(
    "gives polls, event streams and WebSockets that come back exactly what they missed",
    { timeout: TIMEOUT_MS },
    (t) =>
      runExample(t, "history", async ({ url }) => {
        assert.match(await textOf(url), /new EventSource/);
        const say = async (text: string): Promise<string> =>
          (JSON.parse(await textOf(`${url}/say`, { method: "POST", body: text })) as { id: string }).id;
        const poll = async (since: string): Promise<unknown> =>
          JSON.parse(await textOf(`${url}/poll?since=${encodeURIComponent(since)}`));
        const ids = [await say("one"), await say("two"), await say("three")] as const;
        const messages = ids.map((id, at) => ({ id, data: ["one", "two", "three"][at] }));
        assert.deepEqual(await poll(""), { messages, next: ids[2], reset: false });
        assert.deepEqual(await poll(ids[0]), { messages: messages.slice(1), next: ids[2], reset: false });

        // A poll that has everything waits for the next message.
        const waiting = poll(ids[2]);
        await delay(200);
        const four = await say("four");
        assert.deepEqual(await waiting, { messages: [{ id: four, data: "four" }], next: four, reset: false });

        const missed = await events(`${url}/events`, { "Last-Event-ID": ids[1] }, 2);
        assert.deepEqual(missed, [`id: ${ids[2]}\ndata: three`, `id: ${four}\ndata: four`]);
        const reset = await events(`${url}/events`, { "Last-Event-ID": "of-another-life" }, 2);
        assert.deepEqual(reset, ['event: reset\ndata: {"group":"lobby"}', `id: ${ids[0]}\ndata: one`]);
        const client = await Socket.open(t, `${url}/events?since=${encodeURIComponent(ids[2])}`);
        assert.equal(await client.next(), JSON.stringify({ group: "lobby", id: four, data: "four" }));
      }),
  );
});
