// A message that is on its way for minutes arrives once, on every carrier, in both directions. In virtual time.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Connection } from "../../src/client/connection.ts";
import { type Channel, openSession, type SessionOptions } from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";

const CARRIERS = ["websocket", "sse", "poll"] as const;
const MESSAGE = "x".repeat(600_000);
/** 600,000 bytes take 30 s: so many heartbeats. */
const SLOW = 20_000;
const FAST_HEARTBEATS = { heartbeatMs: 1000 };

interface Talk {
  readonly app: TestServer;
  readonly connection: Connection;
  readonly channel: () => Channel;
  readonly up: unknown[];
  readonly down: unknown[];
  /** Events of the session that the application received beside its messages. */
  readonly told: string[];
}

async function talk(
  t: TestContext,
  carrier: (typeof CARRIERS)[number],
  bytesPerSecond: number,
  options: SessionOptions,
): Promise<Talk> {
  const up: unknown[] = [];
  const down: unknown[] = [];
  const told: string[] = [];
  let channel: Channel | undefined;
  const app = testServer((request) =>
    openSession(
      request,
      {
        open: (opened) => {
          channel = opened;
          told.push("open");
        },
        message: (message) => void up.push(message),
        close: ({ code }) => told.push(`close ${code}`),
      },
      { maxBufferedBytes: 8 * 1024 * 1024, ...options },
    ),
  );
  t.after(() => app.stop());
  app.network.bytesPerSecond = bytesPerSecond;
  const connection = app.connect("/", { carriers: [carrier] });
  connection.onMessage((message) => down.push(message));
  connection.onOpen(({ session }) => told.push(`client: ${session}`));
  connection.onClose(({ code }) => told.push(`client: close ${code}`));
  await app.advance(500);
  return { app, connection, channel: () => channel!, up, down, told };
}

for (const carrier of CARRIERS) {
  // A page is not told that a part of a WebSocket's message has come: it comes back, and waits twice as long each time.
  const isBlind = carrier === "websocket";
  const asNew = ["open", "client: new"];
  const asDownward = isBlind ? [...asNew, "client: resumed"] : asNew;

  describe(`a message that takes 30 heartbeats on a ${carrier}`, () => {
    it("arrives once from the client, and so does the next message", async (t) => {
      const { app, connection, up, told } = await talk(t, carrier, SLOW, FAST_HEARTBEATS);
      connection.send(MESSAGE);
      connection.send("behind it");
      await app.advance(150_000);
      assert.deepEqual(
        up.map(String).map((text) => text.slice(0, 9)),
        ["xxxxxxxxx", "behind it"],
      );
      assert.equal(up[0], MESSAGE);
      assert.equal(connection.bufferedAmount, 0);
      assert.deepEqual([...new Set(told)], asNew);
    });

    it("arrives once from the server, and so does the next message", async (t) => {
      const { app, channel, down, told } = await talk(t, carrier, SLOW, FAST_HEARTBEATS);
      channel().send(MESSAGE);
      channel().send("behind it");
      await app.advance(150_000);
      assert.deepEqual(
        down.map(String).map((text) => text.slice(0, 9)),
        ["xxxxxxxxx", "behind it"],
      );
      assert.equal(down[0], MESSAGE);
      assert.equal(channel().bufferedAmount, 0);
      assert.deepEqual([...new Set(told)], asDownward);
    });

    it("arrives once in both directions at the same time", async (t) => {
      const { app, connection, channel, up, down, told } = await talk(t, carrier, SLOW, FAST_HEARTBEATS);
      connection.send(MESSAGE);
      channel().send(MESSAGE);
      await app.advance(200_000);
      assert.deepEqual([up.length, down.length], [1, 1]);
      assert.deepEqual([up[0], down[0]], [MESSAGE, MESSAGE]);
      assert.deepEqual([...new Set(told)], asDownward);
    });

    it("arrives once where its carrier is cut in the middle of it, in both directions", async (t) => {
      const { app, connection, channel, up, down, told } = await talk(t, carrier, SLOW, FAST_HEARTBEATS);
      connection.send(MESSAGE);
      channel().send(MESSAGE);
      await app.advance(30_000);
      app.network.cut();
      await app.advance(300_000);
      assert.deepEqual([up.length, down.length], [1, 1]);
      assert.deepEqual([up[0], down[0]], [MESSAGE, MESSAGE]);
      assert.deepEqual([...new Set(told)], ["open", "client: new", "client: resumed"]);
    });
  });

  describe(`4 MB at 20 kB a second with the default options on a ${carrier}`, () => {
    const large = "y".repeat(4_000_000);

    it("arrive once in both directions", async (t) => {
      const { app, connection, channel, up, down, told } = await talk(t, carrier, 20_000, {});
      connection.send(large);
      channel().send(large);
      await app.advance(600_000);
      assert.deepEqual([up.length, down.length], [1, 1]);
      assert.ok(up[0] === large && down[0] === large);
      assert.deepEqual([...new Set(told)], asDownward);
    });
  });
}
