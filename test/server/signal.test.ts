// The end of a channel is known at once, also while an async setup or a receiver runs; `onClose` stays last.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createGunzip } from "node:zlib";
import {
  type Channel,
  type ChannelError,
  createChannelStore,
  type Handler,
  openChannel,
  openSession,
  withChannel,
} from "../../src/index.ts";
import { toHandler } from "../../src/server/serve.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, turn, until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

function codeOf(signal: AbortSignal): string {
  return (signal.reason as ChannelError).code;
}

for (const accept of ["text/plain", "text/event-stream"]) {
  describe(`a channel for ${accept} whose async setup runs`, () => {
    for (const way of ["leaves", "resets"] as const) {
      it(`knows at once that its client ${way}: signal, isOpen, send; and close comes after setup`, async (t) => {
        const gate = deferred();
        const log: string[] = [];
        let channel: Channel | undefined;
        const site = await serving(t, (r) => {
          withChannel(r, async (opened) => {
            channel = opened;
            opened.onClose(() => log.push("close"));
            opened.signal.addEventListener("abort", () => log.push("abort"));
            await gate.promise;
            log.push("setup is over");
          });
        });
        const client = await site.connect();
        client.write(request(`GET /\r\nAccept: ${accept}`));
        await until(() => channel !== undefined, "setup runs");
        if (way === "leaves") client.destroy();
        else client.reset();
        await until(() => channel!.signal.aborted, "the signal has aborted");
        assert.equal(codeOf(channel!.signal), "CLIENT_GONE");
        assert.equal(channel!.isOpen, false);
        assert.equal(channel!.send("late"), false);
        assert.deepEqual(log, ["abort"]);
        gate.resolve();
        await until(() => log.length === 3, "close has run");
        assert.deepEqual(log, ["abort", "setup is over", "close"]);
      });
    }
  });
}

describe("a WebSocket's channel whose receiver runs", () => {
  it("knows at once that its client has closed or left", async (t) => {
    const channels: Channel[] = [];
    const gate = deferred();
    const site = await serving(t, (r) => {
      withChannel(r, (channel) => {
        channels.push(channel);
        channel.onMessage(() => gate.promise);
      });
    });
    const [first, second] = [await WsClient.open(t, site.target), await WsClient.open(t, site.target)];
    for (const client of [first, second]) client.send("work");
    await until(() => channels.length === 2, "both are open");
    const signals = channels.map(({ signal }) => signal);
    first.raw.destroy();
    second.close(1000);
    await until(() => signals.every(({ aborted }) => aborted), "both signals have aborted");
    for (const channel of channels) {
      assert.equal(channel.isOpen, false);
      assert.equal(channel.send("late"), false);
      assert.equal(codeOf(channel.signal), "CLIENT_GONE");
    }
    gate.resolve();
  });
});

describe("the signal of a channel", () => {
  it("is one object, made on first use, and aborted from the start where the channel has ended", async (t) => {
    let channel: Channel | undefined;
    const site = await serving(t, (r) => {
      channel = withChannel(r, (opened) => opened.send("all"));
    });
    await site.request("GET /");
    const { signal } = channel!;
    assert.equal(signal, channel!.signal);
    assert.equal(signal.aborted, true);
    assert.equal(codeOf(signal), "CHANNEL_CLOSED");
  });

  it("aborts when the channel is closed here", async (t) => {
    let channel: Channel | undefined;
    const site = await serving(t, (r) => {
      channel = withChannel(r, (opened) => opened.send("hello"));
    });
    await WsClient.open(t, site.target);
    await until(() => channel !== undefined, "it is open");
    const { signal } = channel!;
    assert.equal(signal.aborted, false);
    channel!.close();
    assert.equal(codeOf(signal), "CHANNEL_CLOSED");
  });

  it("does not stop a stream that was accepted before close, and aborts after it", async (t) => {
    let signal: AbortSignal | undefined;
    let seen: boolean | undefined;
    const gate = deferred();
    const site = await serving(t, (r) => {
      withChannel(r, (channel) => {
        ({ signal } = channel);
        async function* parts(): AsyncGenerator<string> {
          yield "one ";
          await gate.promise;
          seen = channel.signal.aborted;
          yield "two";
        }
        channel.send(parts(), true);
      });
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => signal !== undefined, "it is open");
    assert.equal(signal!.aborted, false);
    gate.resolve();
    assert.equal((await client.response()).text, "one two");
    assert.equal(seen, false);
    await until(() => signal!.aborted, "it has aborted");
  });

  it("aborts the signal of a WebSocket's request with it, whichever was asked for first", async (t) => {
    const signals: AbortSignal[] = [];
    const site = await serving(t, (r) => {
      if (r.path === "/before") signals.push(r.signal);
      withChannel(r, () => {});
      if (r.path !== "/before") signals.push(r.signal);
    });
    for (const path of ["/before", "/after"]) (await WsClient.open(t, site.target, { path })).raw.destroy();
    await until(() => signals.length === 2 && signals.every(({ aborted }) => aborted), "both have aborted");
  });

  it("aborts at the end of a session, not with its connection", async (t) => {
    let channel: Channel | undefined;
    const site = await serving(t, (r) => {
      channel = openSession(r, {});
    });
    const client = await site.connect();
    client.write(request("GET /\r\nAccept: text/event-stream"));
    await client.head();
    const { signal } = channel!;
    client.destroy();
    await until(() => site.server.stats().connections === 0, "the connection is gone");
    assert.equal(signal.aborted, false);
    channel!.terminate();
    assert.equal(signal.aborted, true);
  });
});

describe("a silent event stream", () => {
  it("has its head when setup is over, and comments at pingIntervalMs", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}, { pingIntervalMs: 1 }));
    const client = await site.connect();
    client.write(request("GET /\r\nAccept: text/event-stream"));
    const head = await client.head();
    assert.equal(head.status, 200);
    assert.deepEqual(head.headers.get("content-type"), ["text/event-stream"]);
    assert.equal((await client.chunk())?.toString(), ": \n\n");
  });

  it("has its head after an async setup, which may answer with another status before", async (t) => {
    const gate = deferred();
    const site = await serving(t, (r) => {
      withChannel(r, async (channel) => {
        await gate.promise;
        if (r.path === "/no") channel.send({ status: 404, body: "not here" });
      });
    });
    const [silent, refused] = [await site.connect(), await site.connect()];
    silent.write(request("GET /\r\nAccept: text/event-stream"));
    refused.write(request("GET /no\r\nAccept: text/event-stream"));
    await until(() => site.server.stats().requests === 2, "both are there");
    gate.resolve();
    assert.equal((await silent.head()).status, 200);
    assert.equal((await refused.response()).status, 404);
  });

  const store = createChannelStore();
  const silent: readonly (readonly [name: string, handler: Handler])[] = [
    ["openChannel", (r) => openChannel(r, {}, { pingIntervalMs: 1 })],
    ["openChannel with a setup", (r) => openChannel(r, { open() {} }, { pingIntervalMs: 1 })],
    ["openChannel with an async setup", (r) => openChannel(r, { open: () => turn() }, { pingIntervalMs: 1 })],
    ["withChannel with an async setup", (r) => withChannel(r, () => turn(), { pingIntervalMs: 1 })],
    [
      "an async handler",
      async (r) => {
        await turn();
        return withChannel(r, () => {}, { pingIntervalMs: 1 });
      },
    ],
    [
      "a member of a group",
      (r) => withChannel(r, (channel) => void store.addToGroup("g", channel), { pingIntervalMs: 1 }),
    ],
    ["openSession", (r) => openSession(r, {}, { heartbeatMs: 1 })],
    ["openSession with an async setup", (r) => openSession(r, { open: () => turn() }, { heartbeatMs: 1 })],
    ["a channel that has sent something", (r) => withChannel(r, (c) => c.send("one"), { pingIntervalMs: 1 })],
  ];
  for (const [name, handler] of silent) {
    for (const version of name === "openChannel" ? ["1.1", "1.0"] : ["1.1"]) {
      it(`a silent event stream of ${name} has its head, and then a comment, over HTTP/${version}`, async (t) => {
        const site = await serving(t, handler);
        const client = await site.connect();
        client.write(`GET / HTTP/${version}\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
        await client.until(() => client.peek().includes(": \n\n"), "a comment");
        assert.match(client.peek().toString(), /^HTTP\/1\.[01] 200 OK\r\n[\s\S]*Content-Type: text\/event-stream\r\n/);
      });
    }
  }

  it("has them where it is compressed as well, each at once", async (t) => {
    const site = await serving(t, (r) => withChannel(r, () => {}, { pingIntervalMs: 1, compress: true }));
    const client = await site.connect();
    client.write(request("GET /\r\nAccept: text/event-stream\r\nAccept-Encoding: gzip"));
    const { headers } = await client.head();
    assert.deepEqual(headers.get("content-encoding"), ["gzip"]);
    const gunzip = createGunzip();
    const comments = deferred();
    let text = "";
    gunzip.on("data", (bytes) => {
      text += bytes;
      if (text === ": \n\n".repeat(2)) comments.resolve();
    });
    for (let i = 0; i < 3; i++) gunzip.write(await client.chunk());
    await comments.promise;
  });

  it("a silent event stream of a Fetch handler has its head, and then a comment", async (t) => {
    const site = await serving(
      t,
      toHandler({ fetch: (r) => withChannel(r, () => {}, { pingIntervalMs: 1 }).response }),
    );
    const client = await site.connect();
    client.write(request("GET /\r\nAccept: text/event-stream"));
    assert.equal((await client.head()).status, 200);
    assert.equal((await client.chunk())?.toString(), ": \n\n");
  });

  it("is a 204 where setup closes it, with the channel's own fields", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => channel.close(), { headers: { "Access-Control-Allow-Origin": "*" } }),
    );
    for (const accept of ["text/event-stream", "*/*"]) {
      const { status, headers } = await site.request(`GET /\r\nAccept: ${accept}`);
      assert.equal(status, 204);
      assert.deepEqual(headers.get("access-control-allow-origin"), ["*"]);
    }
  });
});
