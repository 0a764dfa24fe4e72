import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Socket, textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/channel-store.js", () => {
  it("sends a poll and a WebSocket the messages that are new to each, and none twice", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "channel-store", async ({ url }) => {
      const client = await Socket.open(t, `${url}/?group=a`);
      const other = await Socket.open(t, `${url}/?group=b`);

      // A waiting poll and a WebSocket get the same message.
      const waiting = fetch(`${url}/?group=a`);
      await delay(200);
      assert.equal(await tell(url, "one"), "2 listening\n");
      const answer = await waiting;
      assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
      const first = await answer.text();
      assert.deepEqual(texts(first), ["one"]);
      assert.equal(await client.next(), first);

      // Two more messages arrive while nobody polls. The next poll says what it has, and gets these two at once.
      assert.equal(await tell(url, "two"), "1 listening\n");
      assert.deepEqual(texts(await client.next()), ["two"]);
      client.send("three");
      assert.deepEqual(texts(await client.next()), ["three"]);
      const missed = await textOf(`${url}/?group=a&since_ts=${lastTs(first)}`);
      assert.deepEqual(texts(missed), ["two", "three"]);

      // A poll that has everything waits for the next message.
      const last = textOf(`${url}/?group=a&since_ts=${lastTs(missed)}`);
      await delay(200);
      assert.equal(await tell(url, "four"), "2 listening\n");
      assert.deepEqual(texts(await last), ["four"]);
      assert.deepEqual(texts(await client.next()), ["four"]);
      assert.equal(other.received, 0, "another group receives nothing");
    }),
  );
});

/** Posts a message to group a. Returns the answer. */
function tell(url: string, text: string): Promise<string> {
  return textOf(`${url}/?group=a`, { method: "POST", body: text });
}

function messagesOf(answer: string | Buffer): { text: string; ts: number }[] {
  return JSON.parse(String(answer)) as { text: string; ts: number }[];
}

function texts(answer: string | Buffer): string[] {
  return messagesOf(answer).map(({ text }) => text);
}

function lastTs(answer: string): number {
  return messagesOf(answer).at(-1)!.ts;
}
