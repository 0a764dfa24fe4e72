// Defects of http-kit that this library must not have (facts §1.4–§1.11).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, type ChannelError, type CloseStatus, openChannel, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import { closeFrame, textFrame, WsClient } from "../support/ws-client.ts";

describe("HTTP channels (1.4)", () => {
  it("1: a close before any send is a whole empty response, not a bare last chunk", async (t) => {
    const site = await serving(t, (r) =>
      r.path === "/close" ? void withChannel(r, (channel) => channel.close()) : "next",
    );
    const client = await site.connect();
    client.write(request("GET /close") + request("GET /next"));
    assert.deepEqual(await client.response().then(({ status, text }) => [status, text]), [204, ""]);
    assert.equal((await client.response()).text, "next");
  });

  it("2: an empty first send that does not close ends nothing", async (t) => {
    for (const empty of ["", null, { body: "" }, new Uint8Array(0), [] as string[]]) {
      const site = await serving(t, (r) =>
        withChannel(r, (channel) => {
          assert.equal(channel.send(empty, false), true);
          assert.equal(channel.send("later", false), true);
          assert.equal(channel.send(empty, true), true);
        }),
      );
      const client = await site.connect();
      for (let i = 0; i < 2; i++) {
        client.write(request("GET /"));
        assert.equal((await client.response()).text, "later");
      }
    }
  });

  it("2: the head of such a send leaves at once", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send({ status: 202, body: "" }, false)));
    const client = await site.connect();
    client.write(request("GET /"));
    assert.deepEqual(await client.head().then(({ status, framing }) => [status, framing]), [202, "chunked"]);
  });

  for (const [what, other] of [
    ["text", () => "other"],
    ["a map", () => ({ status: 418, body: "other" })],
    ["a Response", () => new Response("other")],
    ["a promise of text", async () => "other"],
  ] as const) {
    it(`3: a response beside an open channel is dropped and reported: ${what}`, async (t) => {
      const site = await serving(t, (r) => {
        if (r.path === "/next") return "next";
        withChannel(r, (channel) => setImmediate(() => channel.send("from the channel")));
        return other();
      });
      const client = await site.connect();
      client.write(request("GET /") + request("GET /next"));
      assert.equal((await client.response()).text, "from the channel");
      assert.equal((await client.response()).text, "next");
      const [report] = site.takeReports();
      assert.deepEqual([(report!.error as ChannelError).code, report!.source], ["ALREADY_ANSWERED", "handler"]);
    });
  }

  it("3: the channel of another request is no response", async (t) => {
    let held: Channel | undefined;
    const site = await serving(t, (r) => {
      if (r.path === "/steal") return held;
      held = withChannel(r, () => {});
      return held;
    });
    const victim = await site.connect();
    victim.write(request("GET /"));
    await until(() => held !== undefined, "it is parked");
    assert.equal((await site.request("GET /steal")).status, 500);
    assert.equal(site.takeReports().length, 1);
    held!.send("mine");
    assert.equal((await victim.response()).text, "mine");
  });

  it("4: a setup that throws ends its channel, and the next request has another", async (t) => {
    const channels: Channel[] = [];
    const statuses: CloseStatus[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channels.push(channel);
        channel.onClose((status) => statuses.push(status));
        if (r.path === "/bad") throw new Error("boom");
        channel.send("good");
      }),
    );
    const client = await site.connect();
    client.write(request("GET /bad"));
    assert.equal((await client.response()).status, 500);
    client.write(request("GET /good"));
    const sent = [channels[0]!.isOpen, channels[0]!.send("stolen")];
    assert.equal((await client.response()).text, "good");
    assert.deepEqual(sent, [false, false]);
    assert.notEqual(channels[0], channels[1]);
    await until(() => statuses.length === 2, "both have closed");
    assert.deepEqual(site.takeMessages(), ["open: boom"]);
  });

  it("5: a setup that throws after its first chunk has its stream cut, not left hanging", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.send("first", false);
        throw new Error("boom");
      }),
    );
    const client = await site.connect();
    client.write(request("GET /"));
    const all = (await client.takeRest()).toString();
    assert.ok(!all.includes("\r\n0\r\n"), "no last chunk");
    assert.deepEqual(site.takeMessages(), ["open: boom"]);
  });

  it("a handler that throws after its channel has begun ends the stream as well", async (t) => {
    const site = await serving(t, (r) => {
      withChannel(r, (channel) => channel.send("first", false));
      throw new Error("boom");
    });
    const client = await site.connect();
    client.write(request("GET /"));
    const all = (await client.takeRest()).toString();
    assert.ok(!all.includes("\r\n0\r\n"), "no last chunk");
    assert.deepEqual(site.takeMessages(), ["handler: boom"]);
  });

  it("a handler that throws while its channel is parked answers 500", async (t) => {
    const status = deferred<CloseStatus>();
    const site = await serving(t, (r) => {
      withChannel(r, (channel) => channel.onClose(status.resolve));
      throw new Error("boom");
    });
    assert.equal((await site.request("GET /")).status, 500);
    assert.equal((await status.promise).by, "server");
    assert.deepEqual(site.takeMessages(), ["handler: boom"]);
  });

  it("6, 7: a close handler runs outside of the send or close that caused it, and what it throws stays there", async (t) => {
    const log: string[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onClose(() => {
          log.push("close");
          throw new Error("boom");
        });
        log.push(`${channel.send("bye", true)}`);
        log.push("after send");
      }),
    );
    assert.equal((await site.request("GET /")).text, "bye");
    await until(() => log.length === 3, "the close handler has run");
    assert.deepEqual(log, ["true", "after send", "close"]);
    assert.deepEqual(site.takeMessages(), ["close: boom"]);
  });
});

describe("order (1.6)", () => {
  it("a: no message comes before or during setup, even when its frame came with the handshake", async (t) => {
    for (let i = 0; i < 20; i++) {
      const log: string[] = [];
      const site = await serving(t, (r) =>
        openChannel(r, {
          async open() {
            log.push("open starts");
            for (let turns = 0; turns < i % 4; turns++) await new Promise(setImmediate);
            log.push("open ends");
          },
          message: (message) => log.push(`${message}`),
        }),
      );
      await WsClient.open(t, site.target, { first: textFrame("first") });
      await until(() => log.length === 3, "the message has come");
      assert.deepEqual(log, ["open starts", "open ends", "first"]);
    }
  });

  it("b: close does not run before setup has ended, even when the client is gone by then", async (t) => {
    const gate = deferred();
    const log: string[] = [];
    const site = await serving(t, (r) =>
      openChannel(r, {
        async open(channel) {
          await gate.promise;
          log.push(`open ends, isOpen ${channel.isOpen}`);
        },
        close: ({ name }) => log.push(name),
      }),
    );
    const client = await WsClient.open(t, site.target, { first: closeFrame(1000) });
    await client.closed();
    client.raw.destroy();
    await until(() => site.server.stats().connections === 0, "the connection is gone");
    assert.equal(log.length, 0);
    gate.resolve();
    await until(() => log.length === 2, "both have run");
    assert.deepEqual(log, ["open ends, isOpen false", "normal"]);
  });

  it("c: close does not overtake messages that wait", async (t) => {
    const log: string[] = [];
    const site = await serving(t, (r) =>
      openChannel(r, {
        async message(message) {
          log.push(`${message} starts`);
          await turn();
          log.push(`${message} ends`);
        },
        close: () => log.push("close"),
      }),
    );
    const client = await WsClient.open(t, site.target);
    client.raw.write(Buffer.concat([textFrame("slow"), textFrame("second"), closeFrame(1000)]));
    await until(() => log.includes("close"), "close has run");
    assert.deepEqual(log, ["slow starts", "slow ends", "second starts", "second ends", "close"]);
  });

  it("c: the loss of the connection does not overtake messages that wait", async (t) => {
    const gate = deferred();
    const log: string[] = [];
    const site = await serving(t, (r) =>
      openChannel(r, {
        async message(message) {
          await gate.promise;
          log.push(`${message}`);
        },
        close: ({ name }) => log.push(name),
      }),
    );
    const client = await WsClient.open(t, site.target);
    client.raw.write(Buffer.concat([textFrame("one"), textFrame("two")]));
    client.raw.end();
    await until(() => client.raw.isEnded || site.server.stats().connections === 0, "it is noticed");
    gate.resolve();
    await until(() => log.length === 3, "all has come");
    assert.deepEqual(log, ["one", "two", "abnormal"]);
  });

  it("a receiver that closes the channel gets no more messages, and close runs behind it with its status", async (t) => {
    const log: string[] = [];
    const site = await serving(t, (r) =>
      openChannel(r, {
        async message(message, channel) {
          log.push(`${message}`);
          channel.close(4000, "enough");
          await turn();
          log.push(`${message} ends`);
        },
        close: ({ by, code, reason }) => log.push(`${by} ${code} ${reason}`),
      }),
    );
    const client = await WsClient.open(t, site.target);
    client.raw.write(Buffer.concat([textFrame("one"), textFrame("two")]));
    assert.equal((await client.closed()).code, 4000);
    client.close(4000);
    await client.ended();
    await until(() => log.length === 3, "close has run");
    assert.deepEqual(log, ["one", "one ends", "server 4000 enough"]);
  });
});

describe("WebSockets (1.5, 1.8, 1.9)", () => {
  it("a send in setup follows the 101, it does not become an HTTP response", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send("in setup")));
    const client = await WsClient.open(t, site.target);
    assert.equal(await client.message(), "in setup");
  });

  it("a setup that throws closes with 1011, and close runs", async (t) => {
    const status = deferred<CloseStatus>();
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onClose(status.resolve);
        channel.send("sent before");
        throw new Error("boom");
      }),
    );
    const client = await WsClient.open(t, site.target);
    assert.equal(await client.message(), "sent before");
    assert.equal((await client.closed()).code, 1011);
    client.close(1011);
    await client.ended();
    assert.deepEqual(await status.promise.then(({ by, code }) => [by, code]), ["server", 1011]);
    assert.deepEqual(site.takeMessages(), ["open: boom"]);
  });

  for (const way of ["throws", "rejects"]) {
    it(`a handler that ${way} after it has opened the channel closes it with 1011`, async (t) => {
      const site = await serving(t, (r) => {
        withChannel(r, () => {});
        if (way === "throws") throw new Error("boom");
        return Promise.reject(new Error("boom"));
      });
      const client = await WsClient.open(t, site.target);
      assert.equal((await client.closed()).code, 1011);
      assert.deepEqual(site.takeMessages(), ["handler: boom"]);
    });
  }

  it("nothing is written after a close frame, even if a stream was running", async (t) => {
    const gate = deferred();
    const opened = deferred<Channel>();
    const site = await serving(t, (r) => withChannel(r, (channel) => opened.resolve(channel)));
    const client = await WsClient.open(t, site.target);
    const channel = await opened.promise;
    channel.send(
      (async function* () {
        yield "half";
        await gate.promise;
        throw new Error("boom");
      })(),
    );
    channel.send("waits");
    assert.equal((await client.frame()).payload.toString(), "half");
    gate.resolve();
    assert.equal((await client.closed()).code, 1011);
    assert.equal(channel.isOpen, false);
    assert.equal(channel.send("late"), false);
    client.close(1011);
    await client.ended();
    assert.deepEqual(site.takeMessages(), ["send: boom"]);
  });

  it("the status is there, and right, for a handler registered at any moment", async (t) => {
    for (let i = 0; i < 30; i++) {
      const opened = deferred<Channel>();
      const site = await serving(t, (r) => withChannel(r, (channel) => opened.resolve(channel)));
      const client = await WsClient.open(t, site.target);
      const channel = await opened.promise;
      client.close(4242, "why");
      for (let turns = 0; turns < i % 6; turns++) await new Promise(setImmediate);
      const statuses: CloseStatus[] = [];
      channel.onClose((status) => statuses.push(status));
      await until(() => statuses.length > 0, "it has run");
      await settled(() => statuses.length, 2);
      assert.deepEqual(statuses, [{ by: "client", code: 4242, reason: "why", name: "application" }]);
    }
  });
});
