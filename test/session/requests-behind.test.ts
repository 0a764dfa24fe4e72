// Replies that come behind messages for which their receiver is not ready, because that receiver waits for the reply.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requests } from "../../src/client/index.ts";
import { type Channel, openSession, type SessionHandlers } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

/** More than an inbox takes, and with this length more than a client has unacknowledged on a WebSocket. */
const COUNT = 1400;
const LONG = "x".repeat(200);

async function site(carrier: "websocket" | "sse" | "poll", handlers: SessionHandlers) {
  let channel: Channel | undefined;
  const app = testServer((request) => {
    channel = openSession(request, handlers);
    return channel;
  });
  const connection = app.connect("/", { carriers: [carrier], requests: requests() });
  await app.settle();
  return { app, connection, channel: () => channel!, [Symbol.asyncDispose]: () => app.stop() };
}

for (const carrier of ["websocket", "sse", "poll"] as const) {
  describe(`a reply over ${carrier}`, () => {
    it("comes in time to a receiver of the server that awaits it before many messages", async () => {
      const got: unknown[] = [];
      let isFirst = true;
      await using pair = await site(carrier, {
        async message(_, channel) {
          got.push("message");
          if (!isFirst) return;
          isFirst = false;
          await new Promise(setImmediate);
          got.push(await channel.request("how many?"));
        },
      });
      pair.connection.onRequest(() => "many");
      for (let n = 0; n < COUNT; n++) pair.connection.send(LONG);
      await pair.app.advance(10_000);
      assert.deepEqual(got.slice(0, 3), ["message", "many", "message"]);
      assert.equal(got.length, COUNT + 1);
    });

    it("does not wait for the server's acknowledgement of what its receiver has not taken", async () => {
      let asked: Promise<unknown> | undefined;
      await using pair = await site(carrier, {
        async message(_, channel) {
          asked ??= channel.request("how many?", { timeoutMs: 100 });
          await asked;
        },
      });
      pair.connection.onRequest(() => "many");
      for (let n = 0; n < 10; n++) pair.connection.send("x");
      await pair.app.settle();
      // No time has passed.
      assert.equal(await asked, "many");
    });

    it("comes in time to a loop of the client that awaits it before many messages", async () => {
      const got: unknown[] = [];
      await using pair = await site(carrier, { request: () => "many" });
      const { connection } = pair;
      for (let n = 0; n < COUNT; n++) pair.channel().send(LONG);
      const loop = (async () => {
        for await (const _ of connection) {
          if (got.length === 0) await pair.app.settle();
          got.push("message");
          if (got.length === 1) got.push(await connection.request("how many?"));
          if (got.length === COUNT + 1) break;
        }
      })();
      await pair.app.advance(10_000);
      await loop;
      assert.deepEqual(got.slice(0, 3), ["message", "many", "message"]);
    });
  });
}
