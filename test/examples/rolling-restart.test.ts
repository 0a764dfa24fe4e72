import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { needs } from "../support/needs.ts";
import { until } from "../support/wait.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/rolling-restart", { skip: needs("haproxy") }, () => {
  it("restarts two servers, and no client misses a message or gets one twice", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "rolling-restart/start", async ({ url, stdout, signal }) => {
      await until(() => stdout().includes("two servers are up"), "both servers are up");
      const abort = new AbortController();
      const clients = Object.entries(LISTENERS).map(([name, listen]) => ({
        name,
        listen,
        got: [] as Numbered[],
        times: 0,
      }));
      const listening = Promise.all(
        clients.map(async (client) => {
          while (!abort.signal.aborted) {
            client.times += 1;
            await client.listen(url, client.got, abort.signal).catch((error) => {
              if (!abort.signal.aborted) throw error;
            });
          }
        }),
      );
      const all = (isTrue: () => boolean, what: string): Promise<unknown> =>
        Promise.race([until(isTrue, what), listening]);
      try {
        await all(() => clients.every(({ got }) => got.length > 3), "all clients have messages");
        signal("SIGHUP");
        await all(() => stdout().includes("both were restarted"), "both servers were restarted");
        const latest = Math.max(...clients.map(({ got }) => got.at(-1)!.id));
        await all(() => clients.every(({ got }) => got.at(-1)!.id > latest + 2), "all clients have newer messages");
      } finally {
        abort.abort();
        await listening.catch(() => {});
      }
      for (const { name, got, times } of clients) {
        assert.deepEqual(
          got.map(({ id }) => id),
          got.map((_, index) => got[0]!.id + index),
          `${name}: no message is missing, none comes twice`,
        );
        assert.ok(times > 1, `${name} had to come back`);
        assert.ok(new Set(got.map(({ by }) => by)).size > 1, `${name} received from several servers`);
      }
    }),
  );
});

/** A message of the example: its number, and the process that sent it. */
interface Numbered {
  readonly id: number;
  readonly by: number;
}

/** Appends what it receives to `got` until it loses its server, or until it is aborted. */
type Listen = (url: string, got: Numbered[], abort: AbortSignal) => Promise<unknown>;

/** One client for each transport. Each connects with the number that it has seen last. */
const LISTENERS: Readonly<Record<string, Listen>> = {
  async websocket(url, got, abort) {
    const socket = new WebSocket(`${url.replace("http", "ws")}/${since(got)}`);
    socket.on("message", (data) => got.push(JSON.parse(String(data))));
    abort.addEventListener("abort", () => socket.terminate());
    await once(socket, "close");
  },

  async sse(url, got, abort) {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    const last = got.at(-1);
    if (last !== undefined) headers["Last-Event-ID"] = String(last.id);
    const { status, body } = await fetch(url, { headers, signal: abort });
    assert.equal(status, 200, "an EventSource gives up after any other status");
    let text = "";
    let retryMs = 0;
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const data = /^data: ?(.*)$/m.exec(block)?.[1];
        if (data !== undefined) got.push(JSON.parse(data));
        retryMs = Number(/^retry: ?(\d+)$/m.exec(block)?.[1] ?? retryMs);
      }
    }
    assert.ok(retryMs >= 1000 && retryMs <= 3000, "the server says when to come back");
    await delay(retryMs, undefined, { signal: abort });
  },

  async poll(url, got, abort) {
    const response = await fetch(`${url}/${since(got)}`, { signal: abort });
    if (response.status === 200) got.push(...((await response.json()) as Numbered[]));
    else await delay(1000 * Number(response.headers.get("retry-after") ?? 1), undefined, { signal: abort });
  },
};

function since(got: readonly Numbered[]): string {
  const last = got.at(-1);
  return last === undefined ? "" : `?since=${last.id}`;
}
