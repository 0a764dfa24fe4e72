// Clients that go away, or only end their side: RFC 9112 §9.6, http-kit #159, #527, #578.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, type CloseStatus, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, settled, until } from "../support/wait.ts";

describe("a client that has ended its side", () => {
  it("a client that has ended its side still gets the answer to its request", async (t) => {
    const site = await serving(t, async (r) => {
      await new Promise(setImmediate);
      return r.path;
    });
    const client = await site.connect();
    client.write(request("GET /a") + request("GET /b"));
    client.end();
    assert.equal((await client.response()).text, "/a");
    assert.equal((await client.response()).text, "/b");
    await client.ended();
  });

  it("a client that has ended its side still gets the answer of a channel's setup", async (t) => {
    const gate = deferred();
    const site = await serving(t, (r) => {
      withChannel(r, async (channel) => {
        await gate.promise;
        channel.send("late, but sent");
      });
    });
    const client = await site.connect();
    client.write(request("GET /"));
    client.end();
    await until(() => site.server.stats().requests === 1, "the request is there");
    await settled(() => client.isEnded);
    gate.resolve();
    assert.equal((await client.response()).text, "late, but sent");
    await client.ended();
  });

  it("a client that has ended its side still gets a complete stream", async (t) => {
    const part = "x".repeat(65_536);
    const site = await serving(t, () => {
      async function* parts(): AsyncGenerator<string> {
        for (let i = 0; i < 128; i++) {
          await new Promise(setImmediate);
          yield part;
        }
      }
      return { body: parts() };
    });
    const client = await site.connect();
    client.write(request("GET /"));
    client.end();
    assert.equal((await client.response()).body.length, 128 * 65_536);
    await client.ended();
  });

  it("a client that has ended its side still gets a complete body that was sent before", async (t) => {
    const site = await serving(t, (r) => r.text());
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 5", "hello"));
    client.end();
    assert.equal((await client.response()).text, "hello");
    await client.ended();
  });

  it("gets no answer in the middle of a request, and its connection ends", async (t) => {
    let calls = 0;
    const site = await serving(t, () => void (calls += 1));
    const client = await site.connect();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n");
    client.end();
    await client.takeRest();
    assert.equal(calls, 0);
    await until(() => site.server.stats().connections === 0, "the connection is gone");
  });

  it("has its connection ended where it has sent no request", async (t) => {
    const site = await serving(t, () => "ok");
    const client = await site.connect();
    client.end();
    await client.ended();
  });
});

describe("a client that goes away", () => {
  for (const [how, go] of [
    ["with a FIN", (client: { end(): void }) => client.end()],
    ["by closing", (client: { destroy(): void }) => client.destroy()],
    ["with a reset", (client: { reset(): void }) => client.reset()],
  ] as const) {
    it(`is noticed while its poll is parked and nothing is written: ${how}`, async (t) => {
      const statuses: CloseStatus[] = [];
      const channels: Channel[] = [];
      const site = await serving(t, (r) => {
        withChannel(r, (channel) => {
          channels.push(channel);
          channel.onClose((status) => statuses.push(status));
        });
      });
      const client = await site.connect();
      client.write(request("GET /"));
      await until(() => channels.length === 1, "the poll is parked");
      go(client);
      await until(() => statuses.length === 1, "it is noticed");
      assert.deepEqual(statuses, [{ by: "client", code: 1001, reason: "", name: "client-close" }]);
      assert.equal(channels[0]!.isOpen, false);
      assert.equal(channels[0]!.send("late"), false);
      await until(() => site.server.stats().connections === 0, "nothing of it is left");
    });
  }

  it("is noticed in the middle of a stream, and the next client is served (test-client-abort)", async (t) => {
    const closed: string[] = [];
    const site = await serving(t, (r) => {
      if (r.path === "/normal") return "ok";
      withChannel(r, (channel) => {
        channel.send("x".repeat(100_000), false);
        channel.onClose(({ name }) => closed.push(name));
      });
    });
    for (let i = 1; i <= 2; i++) {
      const client = await site.connect();
      client.write(request("GET /"));
      await client.head();
      client.destroy();
      await until(() => closed.length === i, "it is noticed");
    }
    assert.deepEqual(closed, ["client-close", "client-close"]);
    assert.equal((await site.request("GET /normal")).text, "ok");
  });

  it("is noticed with pipelined requests outstanding", async (t) => {
    const closed = deferred<CloseStatus>();
    const paths: string[] = [];
    const site = await serving(t, (r) => {
      paths.push(r.path);
      withChannel(r, (channel) => channel.onClose(closed.resolve));
    });
    const client = await site.connect();
    client.write(request("GET /parked") + request("GET /never").repeat(100));
    await until(() => paths.length === 1, "the poll is parked");
    client.destroy();
    assert.equal((await closed.promise).by, "client");
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
  });

  it("leaves a closed channel if its handler opens one later", async (t) => {
    const gate = deferred();
    const result = deferred<unknown[]>();
    const site = await serving(t, async (r) => {
      await gate.promise;
      const log: unknown[] = [];
      const channel = withChannel(r, (c) => {
        log.push("setup");
        c.onClose(({ by, name }) => {
          log.push(by, name);
          result.resolve(log);
        });
      });
      return channel;
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => site.server.stats().requests === 1, "the handler has it");
    client.reset();
    await until(() => site.server.stats().connections === 0, "the connection is gone");
    gate.resolve();
    assert.deepEqual(await result.promise, ["setup", "client", "client-close"]);
  });

  it("has its answer dropped if it left while the handler ran, and nothing is reported", async (t) => {
    const gate = deferred();
    const site = await serving(t, async () => {
      await gate.promise;
      return "nobody is there";
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => site.server.stats().requests === 1, "the handler has it");
    client.reset();
    await until(() => site.server.stats().connections === 0, "the connection is gone");
    gate.resolve();
    assert.equal((await site.request("GET /")).text, "nobody is there");
  });
});
