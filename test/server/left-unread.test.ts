// A client that leaves while much of what it sent is not read: its channel still knows within a few ticks.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { implementationOf } from "../../src/channel/public-channel.ts";
import { type Channel, type ChannelError, withChannel } from "../../src/index.ts";
import type { RawClient } from "../support/raw-client.ts";
import { lacks } from "../support/runtime.ts";
import { certificate, noCertificate, request, serving } from "../support/serving.ts";
import { SocketClient } from "../support/session-client.ts";
import { sessionSite } from "../support/session-site.ts";
import { deferred, until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

const WAYS = ["resets", "leaves"] as const;

/** More than is read of what nobody takes, and less than the systems hold between client and server. */
const MUCH = 300_000;

function leave(client: RawClient, way: (typeof WAYS)[number]): void {
  if (way === "resets") client.reset();
  else client.destroy();
}

async function knows(channel: Channel): Promise<void> {
  await until(() => channel.signal.aborted, "the signal has aborted");
  assert.equal((channel.signal.reason as ChannelError).code, "CLIENT_GONE");
  assert.equal(channel.isOpen, false);
  assert.equal(channel.send("late"), false);
}

describe("a WebSocket whose messages wait", () => {
  for (const where of ["an async setup", "a busy receiver"] as const) {
    for (const way of WAYS) {
      for (const [count, size] of [
        [100, 10],
        [3, 100_000],
      ] as const) {
        it(`knows that its client ${way} during ${where}: ${count} messages of ${size} bytes`, async (t) => {
          const { channel, client, gate, log } = await busy(t, where);
          for (let i = 0; i < count; i++) client.send("x".repeat(size));
          await until(() => implementationOf(channel())!.undeliveredMessages > 0, "messages wait");
          leave(client.raw, way);
          await knows(channel());
          assert.deepEqual(log, []);
          gate.resolve();
          await until(() => log.at(-1) === "close", "close has run");
          assert.equal(log.at(-1), "close");
        });
      }
    }

    it(`knows that its client has sent a close frame during ${where}, and delivers what came before it`, async (t) => {
      const { channel, client, gate, log } = await busy(t, where);
      for (let i = 0; i < 100; i++) client.send("x");
      client.close(4000, "bye");
      await until(() => implementationOf(channel())!.undeliveredMessages > 0, "messages wait");
      await knows(channel());
      assert.deepEqual(log, []);
      gate.resolve();
      await until(() => log.at(-1) === "close", "close has run");
      assert.deepEqual(log, [...Array(where === "an async setup" ? 100 : 99).fill("message"), "close"]);
    });
  }

  it("knows it through TLS", { skip: noCertificate }, async (t) => {
    const { channel, client, gate } = await busy(t, "a busy receiver", true);
    for (let i = 0; i < 3; i++) client.send("x".repeat(100_000));
    await until(() => implementationOf(channel())!.undeliveredMessages > 0, "messages wait");
    client.raw.destroy();
    await knows(channel());
    gate.resolve();
  });

  for (const way of WAYS) {
    it(`loses its connection where a session has it: its client ${way}, and does not come back`, async (t) => {
      const gate = deferred();
      const site = await sessionSite(t, { message: () => gate.promise }, { resumeMs: 100 });
      const client = await SocketClient.open(t, site.endpoint);
      await client.opened();
      for (let i = 0; i < 8; i++) client.send({ type: "message", data: "x".repeat(100_000) });
      await until(() => implementationOf(site.channel)!.undeliveredMessages > 0, "messages wait");
      leave(client.ws.raw, way);
      await knows(site.channel);
      gate.resolve();
    });
  }
});

for (const accept of ["text/plain", "text/event-stream"]) {
  for (const what of ["an upload that nobody reads", "requests that wait"] as const) {
    for (const way of WAYS) {
      it(`a channel for ${accept} with ${what} knows during its setup that its client ${way}`, async (t) => {
        const { channel, client, gate } = await unread(t, accept, what, false);
        leave(client, way);
        await knows(channel());
        gate.resolve();
      });

      // Behind the beginning of a plain response only a reset can be seen.
      if (way === "leaves" && accept === "text/plain") continue;
      const isSilent = accept === "text/plain" && what === "requests that wait";
      const skip = isSilent && lacks("resets of a connection that is neither read nor written");
      it(`a stream of ${accept} with ${what} knows that its client ${way}`, { skip }, async (t) => {
        const { channel, client, gate } = await unread(t, accept, what, true);
        gate.resolve();
        leave(client, way);
        await knows(channel());
      });
    }
  }
}

describe("a client that has not left while its upload is not read", () => {
  it("is sent nothing but 100 (Continue), and gets its answer", async (t) => {
    const { channel, client } = await unread(t, "text/plain", "an upload that nobody reads", false);
    for (let i = 0; i < 2; i++) assert.equal((await client.head()).status, 100);
    assert.equal(channel().isOpen, true);
    channel().send("done");
    let status: number;
    do ({ status } = await client.head());
    while (status === 100);
    assert.equal(status, 200);
  });

  it("is sent nothing if its request has no channel", async (t) => {
    const gate = deferred();
    const site = await serving(t, async (r) => {
      if (r.path === "/channel") return withChannel(r, () => gate.promise).response;
      await gate.promise;
      return "done";
    });
    const [client, other] = [await site.connect(), await site.connect()];
    client.write(request(`POST /\r\nContent-Length: ${MUCH}`)).write(Buffer.alloc(MUCH));
    other.write(request(`POST /channel\r\nContent-Length: ${MUCH}`)).write(Buffer.alloc(MUCH));
    // Both have been looked at as often.
    for (let i = 0; i < 3; i++) assert.equal((await other.head()).status, 100);
    gate.resolve();
    assert.equal((await client.head()).status, 200);
  });
});

async function busy(t: TestContext, where: "an async setup" | "a busy receiver", isTls = false) {
  const gate = deferred();
  const log: string[] = [];
  let found: Channel | undefined;
  const site = await serving(
    t,
    (r) => {
      withChannel(r, async (channel) => {
        found = channel;
        let isFirst = true;
        channel.onMessage(async () => {
          if (where === "a busy receiver" && isFirst) {
            isFirst = false;
            await gate.promise;
          } else log.push("message");
        });
        channel.onClose(() => log.push("close"));
        if (where === "an async setup") await gate.promise;
      });
    },
    isTls ? { tls: certificate() } : {},
  );
  const client = await WsClient.open(t, site.target);
  await until(() => found !== undefined, "it is open");
  return { channel: () => found!, client, gate, log };
}

async function unread(t: TestContext, accept: string, what: string, hasBegun: boolean) {
  const gate = deferred();
  let found: Channel | undefined;
  const site = await serving(t, (r) => {
    withChannel(r, async (channel) => {
      if (hasBegun) channel.send("first", false);
      found = channel;
      await gate.promise;
    });
  });
  const client = await site.connect();
  if (what === "requests that wait") {
    client.write(request(`GET /\r\nAccept: ${accept}`)).write(request("GET /next").repeat(MUCH / 20));
  } else client.write(request(`POST /\r\nAccept: ${accept}\r\nContent-Length: ${MUCH}`)).write(Buffer.alloc(MUCH));
  await until(() => found !== undefined, "setup runs");
  return { channel: () => found!, client, gate };
}
