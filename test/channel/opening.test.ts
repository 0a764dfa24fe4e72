// From a request to a channel: `withChannel`, `openChannel` and what a handler may return beside. Design §1.1, §1.2.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, type ChannelError, type ChannelHandlers, openChannel, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, until } from "../support/wait.ts";
import { textFrame, WsClient } from "../support/ws-client.ts";

describe("withChannel", () => {
  it("runs setup at once, and returns the channel", async (t) => {
    const site = await serving(t, (r) => {
      let inside: Channel | undefined;
      const channel = withChannel(r, (c) => {
        inside = c;
      });
      assert.equal(inside, channel);
      channel.send("same");
    });
    assert.equal((await site.request("GET /")).text, "same");
  });

  for (const [what, give] of [
    ["nothing", () => undefined],
    ["null", () => null],
    ["the channel", (channel: Channel) => channel],
    ["the channel's response", (channel: Channel) => channel.response],
    ["a promise of the channel", async (channel: Channel) => channel],
  ] as const) {
    it(`lets the handler return ${what}`, async (t) => {
      const site = await serving(t, (r) =>
        give(withChannel(r, (channel) => setImmediate(() => channel.send("answer")))),
      );
      const client = await site.connect();
      client.write(request("GET /a") + request("GET /b"));
      assert.equal((await client.response()).text, "answer");
      assert.equal((await client.response()).text, "answer");
    });
  }

  it("throws ALREADY_ANSWERED for a second channel of a request; the first goes on", async (t) => {
    const site = await serving(t, (r) => {
      const channel = withChannel(r, () => {});
      assert.throws(() => withChannel(r, () => assert.fail("no setup")), { code: "ALREADY_ANSWERED" });
      channel.send("the first");
      assert.throws(() => withChannel(r, () => assert.fail("no setup")), { code: "ALREADY_ANSWERED" });
    });
    assert.equal((await site.request("GET /")).text, "the first");
  });

  it("throws ALREADY_ANSWERED for a request that has its response", async (t) => {
    const code = deferred<string>();
    const site = await serving(t, (r) => {
      setImmediate(() => {
        try {
          withChannel(r, () => assert.fail("no setup"));
        } catch (error) {
          code.resolve((error as ChannelError).code);
        }
      });
      return "response";
    });
    const client = await site.connect();
    client.write(request("GET /"));
    assert.equal((await client.response()).text, "response");
    assert.equal(await code.promise, "ALREADY_ANSWERED");
  });

  it("throws NOT_OUR_REQUEST for a foreign Fetch Request", () => {
    assert.throws(() => withChannel(new Request("http://x/"), () => {}), { code: "NOT_OUR_REQUEST" });
  });

  it("finds its request from the Fetch Request that was made of it", async (t) => {
    const site = await serving(t, (r) => withChannel(r.toRequest(), (channel) => channel.send("found")).response);
    assert.equal((await site.request("GET /")).text, "found");
  });

  it("gives every request a channel of its own", async (t) => {
    const channels = new Set<Channel>();
    const site = await serving(t, (r) => withChannel(r, (channel) => channels.add(channel) && channel.send("ok")));
    const client = await site.connect();
    for (let i = 0; i < 10; i++) {
      client.write(request("GET /"));
      await client.response();
    }
    assert.equal(channels.size, 10);
  });
});

describe("openChannel", () => {
  it("calls each of its handlers with the channel", async (t) => {
    const log: unknown[] = [];
    const handlers: ChannelHandlers = {
      open: (c) => log.push("open", c),
      message: (message, c) => log.push(message, c),
      ping: (data, c) => log.push(`ping ${Buffer.from(data)}`, c),
      pong: (data, c) => log.push(`pong ${Buffer.from(data)}`, c),
      close: ({ name }, c) => log.push(name, c),
    };
    let channel: Channel | undefined;
    const site = await serving(t, (r) => {
      channel = openChannel(r, handlers);
    });
    const client = await WsClient.open(t, site.target);
    client.send("message");
    client.ping("1");
    client.raw.write(Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0));
    client.close(1000);
    await until(() => log.includes("normal"), "close has run");
    assert.deepEqual(
      log.filter((_, i) => i % 2 === 0),
      ["open", "message", "ping 1", "pong ", "normal"],
    );
    assert.ok(log.every((value, i) => i % 2 === 0 || value === channel));
  });

  it("leaves an object of handlers that many channels share as it is", async (t) => {
    const closed: string[] = [];
    const handlers: ChannelHandlers = { open: (channel) => channel.onClose(() => closed.push("own")) };
    const before = { ...handlers };
    const site = await serving(t, (r) => {
      const channel = openChannel(r, handlers);
      channel.onMessage(() => {});
      channel.onDrain(() => {});
      channel.close();
    });
    await site.request("GET /");
    await site.request("GET /");
    await until(() => closed.length === 2, "both have closed");
    assert.deepEqual({ ...handlers }, before);
  });

  it("tells `error` of everything that its handlers throw, with the channel", async (t) => {
    const told: string[] = [];
    const fail = (what: string) => () => {
      throw new Error(what);
    };
    const site = await serving(t, (r) => {
      const channel = openChannel(r, {
        message: fail("receive"),
        ping: fail("ping"),
        pong: fail("pong"),
        drain: fail("drain"),
        close: fail("close"),
        error(error, c) {
          told.push((error as Error).message, String(c === channel));
        },
      });
    });
    const client = await WsClient.open(t, site.target);
    client.send("message");
    client.ping();
    client.raw.write(Uint8Array.of(0x8a, 0x80, 0, 0, 0, 0));
    client.close(1000);
    await until(() => told.includes("close"), "all have thrown");
    const names = told.filter((text) => text !== "true");
    for (const name of ["receive", "ping", "pong", "close"]) assert.ok(names.includes(name), name);
    assert.equal(told.length, 2 * names.length);
  });

  it("has an HTTP and a WebSocket channel behind the same handler (seed S1, S2)", async (t) => {
    const site = await serving(t, (r) =>
      openChannel(r, {
        open: (channel) => void (channel.isWebSocket || channel.send(`hello ${r.query.get("name")}`)),
        message: (message, channel) => channel.send(`hello ${message}`),
      }),
    );
    assert.equal((await site.request("GET /?name=poll")).text, "hello poll");
    const client = await WsClient.open(t, site.target, { first: textFrame("socket") });
    assert.equal(await client.message(), "hello socket");
  });
});

describe("onError", () => {
  it("is told where an error came from, with the request or the channel", async (t) => {
    const contexts: Record<string, unknown>[] = [];
    const site = await serving(
      t,
      (r) => {
        if (r.path === "/handler") throw new Error("boom");
        return withChannel(r, () => {
          throw new Error("boom");
        });
      },
      { onError: (error, context) => contexts.push({ ...context, code: (error as Error).message }) },
    );
    await site.request("GET /handler");
    await site.request("GET /open");
    assert.deepEqual(
      contexts.map(({ source, code }) => `${source} ${code}`),
      ["handler boom", "open boom"],
    );
    assert.equal((contexts[0]!["request"] as { path: string }).path, "/handler");
    assert.equal(typeof (contexts[1]!["channel"] as Channel).send, "function");
  });

  it("may throw itself without harm", async (t) => {
    const site = await serving(
      t,
      () => {
        throw new Error("boom");
      },
      {
        onError: () => {
          throw new Error("from onError");
        },
      },
    );
    assert.equal((await site.request("GET /")).status, 500);
    assert.equal((await site.request("GET /")).status, 500);
  });

  const SILENT = { info() {}, warn() {} };

  it("is the logger's `error` where there is only a logger", async (t) => {
    const logged: unknown[] = [];
    const site = await serving(
      t,
      () => {
        throw new Error("boom");
      },
      { onError: undefined, logger: { ...SILENT, error: (details, message) => logged.push(details, message) } },
    );
    await site.request("GET /");
    assert.equal(logged.length, 2);
    assert.match(String(logged[1]), /handler/);
  });
});
