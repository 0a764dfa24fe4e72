// How fast a client may send: maxMessagesPerSecond, maxBytesPerSecond, rateBurstMs, and for all channels of an address
// maxMessagesPerSecondPerAddress and maxBytesPerSecondPerAddress. Each limit from both sides, with each policy, in virtual time.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { requests } from "../../src/client/requests.ts";
import {
  type AnyChannel,
  type ChannelOptions,
  type ChannelRequest,
  type CloseStatus,
  openChannel,
  openSession,
  type ServeOptions,
  type SessionOptions,
  withChannel,
} from "../../src/index.ts";
import type { TestServer, TestServerOptions, TestWebSocket } from "../../src/testing/index.ts";
import { testServer } from "../../src/testing/index.ts";
import { listenTo } from "../support/diagnostics.ts";

interface App {
  readonly app: TestServer;
  /** Messages that the application has received, with the milliseconds since the first look. */
  readonly got: string[];
  /** `dropped` and `close` of all channels. */
  readonly told: string[];
}

type Own = Pick<
  ChannelOptions,
  "maxMessagesPerSecond" | "maxBytesPerSecond" | "rateBurstMs" | "onRateExceeded" | "maxMessageBytes"
>;

function statusText({ by, code, reason }: CloseStatus): string {
  return `close ${by} ${code} ${reason}`;
}

/** `own`: the options of each channel. `limits`: those of the server. */
function rated(t: TestContext, own: Own, limits: TestServerOptions = {}): App {
  const got: string[] = [];
  const told: string[] = [];
  const app = testServer(
    (request) =>
      openChannel(
        request,
        {
          message: (message) => void got.push(String(message)),
          dropped: (count) => void told.push(`dropped ${count}`),
          close: (status) => void told.push(statusText(status)),
        },
        own,
      ),
    limits,
  );
  t.after(() => app.stop());
  return { app, got, told };
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);
}

function sendAll(socket: { send(data: string): unknown }, messages: readonly string[]): void {
  for (const message of messages) socket.send(message);
}

describe("maxMessagesPerSecond", () => {
  it("lets so many messages come at once, and none more: 1008, with a reason on both ends", async (t) => {
    const { app, got, told } = rated(t, { maxMessagesPerSecond: 10 });
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 10));
    await app.settle();
    assert.deepEqual([got, told], [numbers(1, 10), []]);
    socket.send("11");
    await app.settle();
    const reason = "messages come faster than they may: maxMessagesPerSecond is 10";
    assert.deepEqual([got, told], [numbers(1, 10), [`close server 1008 ${reason}`]]);
    assert.deepEqual(await socket.closed, { code: 1008, reason });
    assert.deepEqual(app.server.stats().rateExceeded, { close: 1, drop: 0, wait: 0 });
  });

  it("closes no client that keeps to it, for as long as it likes", async (t) => {
    const { app, got, told } = rated(t, { maxMessagesPerSecond: 10 });
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 10));
    for (let i = 11; i <= 200; i++) {
      await app.advance(100);
      socket.send(`${i}`);
    }
    await app.settle();
    assert.deepEqual([got.length, told], [200, []]);
  });

  it("closes a client that is a millisecond too early", async (t) => {
    const { app, got } = rated(t, { maxMessagesPerSecond: 10 });
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 10));
    await app.advance(99);
    socket.send("11");
    assert.equal((await socket.closed).code, 1008);
    assert.deepEqual(got, numbers(1, 10));
  });

  it("is that of the server where a channel has none, and a channel's own where it has one", async (t) => {
    for (const [own, limits] of [
      [{}, { maxMessagesPerSecond: 3 }],
      [{ maxMessagesPerSecond: 3 }, { maxMessagesPerSecond: 100 }],
    ] as const) {
      const { app, got } = rated(t, own, limits);
      const socket = await app.websocket("/");
      sendAll(socket, numbers(1, 4));
      assert.equal((await socket.closed).code, 1008);
      assert.deepEqual(got, numbers(1, 3));
    }
    const { app, got } = rated(t, { maxMessagesPerSecond: Number.POSITIVE_INFINITY }, { maxMessagesPerSecond: 3 });
    sendAll(await app.websocket("/"), numbers(1, 100));
    await app.settle();
    assert.equal(got.length, 100);
  });

  it("of 0 allows no message", async (t) => {
    const { app, got } = rated(t, { maxMessagesPerSecond: 0 });
    const socket = await app.websocket("/");
    socket.send("1");
    assert.equal((await socket.closed).code, 1008);
    assert.deepEqual(got, []);
  });

  it("counts empty messages, too", async (t) => {
    const { app, got } = rated(t, { maxMessagesPerSecond: 2 });
    const socket = await app.websocket("/");
    sendAll(socket, ["", "", ""]);
    assert.equal((await socket.closed).code, 1008);
    assert.deepEqual(got, ["", ""]);
  });

  it("counts no pings, which have a limit of their own", async (t) => {
    const { app, told } = rated(t, { maxMessagesPerSecond: 1 });
    const socket = await app.websocket("/");
    for (let i = 0; i < 100; i++) socket.ping();
    await app.settle();
    assert.deepEqual(told, []);
  });
});

describe("maxBytesPerSecond", () => {
  it("lets messages come while a byte is left: one may be of any length, and the next when it is paid", async (t) => {
    const { app, got, told } = rated(t, { maxBytesPerSecond: 1000 });
    const socket = await app.websocket("/");
    sendAll(socket, ["x".repeat(999), "y".repeat(3001)]);
    await app.settle();
    assert.deepEqual([got.length, told], [2, []]);
    // 3000 bytes are owed.
    await app.advance(3001);
    socket.send("z".repeat(100));
    await app.settle();
    assert.equal(got.length, 3);
    await app.advance(99);
    socket.send("too early");
    assert.match((await socket.closed).reason, /maxBytesPerSecond is 1000$/);
    assert.equal(got.length, 3);
  });

  it("counts the bytes of UTF-8, and 64 at least for each message", async (t) => {
    for (const [message, count] of [
      ["", 10],
      ["x".repeat(64), 10],
      ["x".repeat(65), 10],
      ["ü".repeat(320), 1],
      ["ü".repeat(319), 2],
    ] as const) {
      const { app, got } = rated(t, { maxBytesPerSecond: 640 });
      const socket = await app.websocket("/");
      // The last one owes what is missing: it may come while a byte is left.
      sendAll(
        socket,
        Array.from({ length: 12 }, () => message),
      );
      assert.equal((await socket.closed).code, 1008);
      assert.equal(got.length, count, `${count} of ${message.length}`);
    }
  });
});

describe("rateBurstMs", () => {
  for (const [rateBurstMs, atOnce] of [
    [5000, 50],
    [1000, 10],
    [100, 1],
    [0, 1],
  ] as const) {
    it(`of ${rateBurstMs} lets ${atOnce} messages come at once where 10 may come in a second`, async (t) => {
      const { app, got } = rated(t, { maxMessagesPerSecond: 10, rateBurstMs });
      const socket = await app.websocket("/");
      sendAll(socket, numbers(1, atOnce));
      await app.settle();
      assert.equal(got.length, atOnce);
      socket.send("more");
      assert.equal((await socket.closed).code, 1008);
      assert.equal(got.length, atOnce);
    });
  }
});

describe("the policy drop", () => {
  const own = { maxMessagesPerSecond: 10, onRateExceeded: "drop" } as const;

  it("drops what is too much, goes on, and tells how many were dropped", async (t) => {
    const { app, got, told } = rated(t, own);
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 15));
    await app.settle();
    assert.deepEqual(got, numbers(1, 10));
    await app.advance(1000);
    assert.deepEqual(told, ["dropped 5"]);
    sendAll(socket, numbers(16, 27));
    await app.settle();
    assert.deepEqual(got, [...numbers(1, 10), ...numbers(16, 25)]);
    socket.close(1000, "");
    await app.settle();
    assert.deepEqual(told, ["dropped 5", "dropped 2", "close client 1000 "]);
    assert.deepEqual(app.server.stats().rateExceeded, { close: 0, drop: 7, wait: 0 });
  });

  it("tells also by onDropped, and not before the setup has settled", async (t) => {
    const told: string[] = [];
    let settle: () => void = () => {};
    const app = testServer((request) =>
      withChannel(
        request,
        (channel) => {
          channel.onDropped((count) => void told.push(`dropped ${count}`));
          return new Promise<void>((resolve) => {
            settle = () => {
              told.push("set up");
              resolve();
            };
          });
        },
        own,
      ),
    );
    t.after(() => app.stop());
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 14));
    await app.advance(2000);
    assert.deepEqual(told, []);
    settle();
    await app.advance(1000);
    assert.deepEqual(told, ["set up", "dropped 4"]);
  });

  it("costs a flood of the sender's: the application is told twice a second at most", async (t) => {
    const { app, got, told } = rated(t, own);
    const socket = await app.websocket("/");
    for (let i = 0; i < 50; i++) {
      sendAll(socket, numbers(1, 1000));
      await app.advance(100);
    }
    await app.advance(1000);
    assert.ok(got.length >= 55 && got.length <= 60, `${got.length}`);
    assert.ok(told.length <= 12, `${told.length}`);
    const dropped = told.reduce((sum, text) => sum + Number(text.split(" ")[1]), 0);
    assert.equal(dropped + got.length, 50_000);
  });
});

describe("the policy wait", () => {
  const own = { maxMessagesPerSecond: 10, onRateExceeded: "wait" } as const;

  it("hands messages over at the rate, all of them and in order", async (t) => {
    const { app, got, told } = rated(t, own);
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 1000));
    await app.settle();
    assert.deepEqual(got, numbers(1, 10));
    await app.advance(99);
    assert.equal(got.length, 10);
    await app.advance(1);
    assert.equal(got.length, 11);
    await app.advance(900);
    assert.equal(got.length, 20);
    await app.advance(98_000);
    assert.deepEqual([got, told], [numbers(1, 1000), []]);
  });

  it("makes the client wait: its connection is not read, and no memory grows", async (t) => {
    const { app, got } = rated(t, own);
    const socket = await app.websocket("/");
    const long = "x".repeat(10_000);
    for (let i = 0; i < 1000; i++) socket.send(long);
    await app.settle();
    assert.equal(got.length, 10);
    const read = app.server.stats().bytesReceived;
    assert.ok(read < 600_000, `${read} of 10,000,000 bytes were read`);
    await app.advance(99_000);
    assert.equal(got.length, 1000);
  });

  it("paces the messages of a loop, too", async (t) => {
    const got: unknown[] = [];
    let isOver = false;
    const app = testServer((request) =>
      withChannel(
        request,
        async (channel) => {
          void (async () => {
            for await (const message of channel) got.push(message);
            isOver = true;
          })();
        },
        own,
      ),
    );
    t.after(() => app.stop());
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 30));
    await app.settle();
    assert.deepEqual(got, numbers(1, 10));
    await app.advance(1000);
    assert.deepEqual(got, numbers(1, 20));
    socket.close(1000, "");
    await app.settle();
    assert.deepEqual([got.length, isOver], [20, false]);
    await app.advance(1000);
    assert.deepEqual([got, isOver], [numbers(1, 30), true]);
  });

  it("delivers what a client sent before it left, at the rate and within 10 seconds; the rest is dropped and told", async (t) => {
    for (const [count, told] of [
      [55, ["close client 1000 "]],
      [56, ["dropped 1", "close client 1000 "]],
    ] as const) {
      const run = rated(t, { ...own, maxMessagesPerSecond: 5 });
      const socket = await run.app.websocket("/");
      sendAll(socket, numbers(1, count));
      socket.close(1000, "");
      await run.app.settle();
      assert.deepEqual([run.got, run.told], [numbers(1, 5), []]);
      await run.app.advance(10_000);
      assert.deepEqual([run.got, run.told], [numbers(1, 55), told]);
    }
  });

  it("keeps no timer of a channel that the application closes, and none of one that has ended", async (t) => {
    const channels: AnyChannel[] = [];
    const app = testServer((request) =>
      openChannel(request, { open: (channel) => void channels.push(channel), message() {} }, own),
    );
    t.after(() => app.stop());
    const before = app.clock.pending;
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 20));
    await app.settle();
    assert.equal(app.clock.pending, before + 1);
    channels[0]!.close();
    await socket.closed;
    await app.settle();
    assert.equal(app.clock.pending, before);
  });

  it("waits for bytes, too: until those of the message before are paid", async (t) => {
    const { app, got } = rated(t, { maxBytesPerSecond: 1000, onRateExceeded: "wait" });
    const socket = await app.websocket("/");
    sendAll(socket, ["x".repeat(3000), "2", "3"]);
    await app.settle();
    assert.equal(got.length, 1);
    await app.advance(2000);
    assert.equal(got.length, 1);
    await app.advance(1);
    assert.equal(got.length, 2);
    await app.advance(63);
    assert.equal(got.length, 2);
    await app.advance(1);
    assert.equal(got.length, 3);
  });

  it("of 0 messages hands over nothing, and leaves nothing behind", async (t) => {
    const { app, got, told } = rated(t, { maxMessagesPerSecond: 0, onRateExceeded: "wait" });
    const socket = await app.websocket("/");
    sendAll(socket, numbers(1, 3));
    await app.advance(100_000);
    assert.deepEqual([got, told], [[], []]);
    socket.close(1000, "");
    await app.settle();
    assert.deepEqual([got, told], [[], ["dropped 3", "close client 1000 "]]);
  });
});

describe("the rates of an address", () => {
  const proxy = { trustedProxies: ["192.0.2.1"] } as const;
  const from = (app: TestServer, address: string): Promise<TestWebSocket> =>
    app.websocket("/", { headers: { "X-Forwarded-For": address } });

  it("are of all its channels together, and no other's: maxMessagesPerSecondPerAddress", async (t) => {
    const { app, got, told } = rated(t, {}, { maxMessagesPerSecondPerAddress: 10, ...proxy });
    const [a, b, other] = await Promise.all(["203.0.113.1", "203.0.113.1", "203.0.113.2"].map((at) => from(app, at)));
    sendAll(a!, numbers(1, 5));
    await app.settle();
    sendAll(b!, numbers(6, 10));
    await app.settle();
    assert.deepEqual([got, told], [numbers(1, 10), []]);
    b!.send("11");
    await app.settle();
    const reason = "messages come faster than they may: maxMessagesPerSecondPerAddress is 10";
    assert.deepEqual(told, [`close server 1008 ${reason}`]);
    assert.deepEqual(await b!.closed, { code: 1008, reason });
    sendAll(other!, numbers(1, 10));
    await app.settle();
    assert.equal(got.length, 20);
    // Another connection of the address begins with what the address has left.
    const again = await from(app, "203.0.113.1");
    again.send("12");
    assert.equal((await again.closed).code, 1008);
  });

  it("are of an IPv6 /64 together", async (t) => {
    const { app, got } = rated(t, {}, { maxMessagesPerSecondPerAddress: 2, ...proxy });
    const [a, b, other] = await Promise.all(
      ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map((at) => from(app, at)),
    );
    a!.send("1");
    b!.send("2");
    other!.send("3");
    await app.settle();
    assert.equal(got.length, 3);
    b!.send("4");
    assert.equal((await b!.closed).code, 1008);
  });

  it("do not count clients behind a proxy that does not name them", async (t) => {
    const { app, got } = rated(t, {}, { maxMessagesPerSecondPerAddress: 2, ...proxy });
    sendAll(await app.websocket("/"), numbers(1, 50));
    await app.settle();
    assert.equal(got.length, 50);
  });

  it("count bytes: maxBytesPerSecondPerAddress", async (t) => {
    const { app, got } = rated(t, {}, { maxBytesPerSecondPerAddress: 1000, ...proxy });
    const [a, b] = await Promise.all([from(app, "203.0.113.1"), from(app, "203.0.113.1")]);
    a.send("x".repeat(500));
    await app.settle();
    b.send("x".repeat(501));
    await app.settle();
    assert.equal(got.length, 2);
    a.send("x");
    assert.match((await a.closed).reason, /maxBytesPerSecondPerAddress is 1000$/);
    assert.equal(got.length, 2);
  });

  it("are shared fairly by channels that wait: each has its turn", async (t) => {
    const counts = new Map<string, number>();
    const app = testServer(
      (request) =>
        openChannel(request, { message: () => void counts.set(request.path, (counts.get(request.path) ?? 0) + 1) }),
      { maxMessagesPerSecondPerAddress: 10, onRateExceeded: "wait", ...proxy },
    );
    t.after(() => app.stop());
    const headers = { "X-Forwarded-For": "203.0.113.1" };
    const flood = await app.websocket("/flood", { headers });
    sendAll(flood, numbers(1, 1000));
    await app.settle();
    assert.deepEqual([...counts], [["/flood", 10]]);
    const quiet = await Promise.all(["/1", "/2", "/3", "/4"].map((path) => app.websocket(path, { headers })));
    for (const socket of quiet) sendAll(socket, numbers(1, 20));
    await app.advance(10_000);
    assert.deepEqual([...counts.values()], [30, 20, 20, 20, 20]);
  });

  it("are forgotten when nothing is owed: many addresses leave nothing behind", async (t) => {
    const { app } = rated(t, {}, { maxMessagesPerSecondPerAddress: 10, ...proxy });
    const { addresses } = (app.server as unknown as { exchanges: { rates: { addresses: { size: number } } } }).exchanges
      .rates;
    for (let i = 0; i < 50; i++) {
      const socket = await from(app, `203.0.113.${i}`);
      socket.send("hello");
      await app.settle();
      socket.close(1000, "");
    }
    assert.ok(addresses.size > 0, `${addresses.size}`);
    await app.advance(1000);
    assert.equal(addresses.size, 0);
  });
});

describe("a flood of one client", () => {
  for (const onRateExceeded of ["close", "drop", "wait"] as const) {
    it(`does not keep another from its answers, with the policy ${onRateExceeded}`, async (t) => {
      const app = testServer(
        (request) => openChannel(request, { message: (message, channel) => void channel.send(message) }),
        { maxMessagesPerSecond: 20, onRateExceeded },
      );
      t.after(() => app.stop());
      const [flood, good] = await Promise.all([app.websocket("/"), app.websocket("/")]);
      for (let i = 1; i <= 40; i++) {
        if (flood.readyState === 1) sendAll(flood, numbers(1, 500));
        good.send(`${i}`);
        // No time passes.
        assert.equal(await good.next(), `${i}`);
        await app.advance(100);
      }
    });
  }
});

describe("a message over a rate", () => {
  it("is published with its channel, the policy and the limit, and is not reported as an error", async (t) => {
    const heard = listenTo(t, ["unichannel:channel.rate", "unichannel:error"]);
    const own = { maxMessagesPerSecond: 1 } as const;
    for (const onRateExceeded of ["close", "drop", "wait"] as const) {
      const { app } = rated(t, { ...own, onRateExceeded });
      sendAll(await app.websocket("/"), ["1", "2"]);
      await app.settle();
    }
    const events = heard.of("unichannel:channel.rate");
    assert.deepEqual(
      events.map(({ policy, limit }) => [policy, limit]),
      ["close", "drop", "wait"].map((policy) => [policy, "maxMessagesPerSecond"]),
    );
    assert.ok(events.every(({ channel }) => channel.transport === "websocket"));
    assert.deepEqual(heard.of("unichannel:error"), []);
  });
});

describe("the rates of a session", () => {
  interface SessionApp {
    readonly app: TestServer;
    readonly got: string[];
    readonly told: string[];
  }

  function sessionApp(t: TestContext, own: SessionOptions, limits: Partial<ServeOptions> = {}): SessionApp {
    const got: string[] = [];
    const told: string[] = [];
    const app = testServer(
      (request: ChannelRequest) =>
        openSession(
          request,
          {
            message: (message) => void got.push(String(message)),
            close: (status) => void told.push(statusText(status)),
            dropped: (count) => void told.push(`dropped ${count}`),
          },
          own,
        ),
      limits as TestServerOptions,
    );
    t.after(() => app.stop());
    return { app, got, told };
  }

  for (const kind of ["websocket", "sse", "poll"] as const) {
    it(`make a client over ${kind} wait, and every message arrives once and in order`, async (t) => {
      const { app, got, told } = sessionApp(t, { maxMessagesPerSecond: 10, onRateExceeded: "wait" });
      const connection = app.connect("/", { carriers: [kind] });
      sendAll(connection, numbers(1, 300));
      await app.advance(2000);
      assert.ok(got.length >= 10 && got.length <= 30, `${got.length}`);
      await app.advance(60_000);
      assert.deepEqual([got, told], [numbers(1, 300), []]);
      connection.close();
      await app.advance(1000);
      assert.deepEqual(told, ["close client 1000 "]);
    });

    it(`close a client over ${kind} with 1008, with a reason on both ends`, async (t) => {
      const { app, got, told } = sessionApp(t, { maxMessagesPerSecond: 10 });
      const connection = app.connect("/", { carriers: [kind] });
      await connection.opened;
      sendAll(connection, numbers(1, 10));
      await app.settle();
      assert.deepEqual([got, told], [numbers(1, 10), []]);
      sendAll(connection, numbers(11, 15));
      await app.advance(1000);
      const { by, code, reason, unacknowledged } = await connection.closed;
      const why = "messages come faster than they may: maxMessagesPerSecond is 10";
      assert.deepEqual([by, code, reason], ["server", 1008, why]);
      await app.advance(1000);
      assert.deepEqual(told, [`close server 1008 ${why}`]);
      // The application has not received them, and the client is told so.
      assert.deepEqual([got, unacknowledged], [numbers(1, 10), numbers(11, 15)]);
    });
  }

  it("count its requests as messages, and close for them", async (t) => {
    const got: string[] = [];
    const app = testServer((request) =>
      openSession(
        request,
        { message: (message) => void got.push(`${message}`), request: (data) => void got.push(`asked ${data}`) },
        { maxMessagesPerSecond: 4 },
      ),
    );
    t.after(() => app.stop());
    const connection = app.connect("/", { requests: requests() });
    await connection.opened;
    sendAll(connection, numbers(1, 2));
    const asked = [3, 4, 5].map((number) => connection.request(`${number}`).then(String, ({ code }) => code));
    await app.advance(1000);
    assert.deepEqual(await Promise.all(asked), ["", "", "REQUEST_LOST"]);
    assert.deepEqual(got, ["1", "2", "asked 3", "asked 4"]);
    assert.equal((await connection.closed).code, 1008);
  });

  it("make its requests wait for their turn, in order with its messages", async (t) => {
    const got: string[] = [];
    const app = testServer((request) =>
      openSession(
        request,
        { message: (message) => void got.push(`${message}`), request: (data) => void got.push(`asked ${data}`) },
        { maxMessagesPerSecond: 2, onRateExceeded: "wait" },
      ),
    );
    t.after(() => app.stop());
    const connection = app.connect("/", { requests: requests() });
    await connection.opened;
    sendAll(connection, ["1"]);
    const asked = connection.request("2");
    sendAll(connection, ["3"]);
    const last = connection.request("4");
    await app.advance(100);
    assert.deepEqual(got, ["1", "asked 2"]);
    await app.advance(500);
    assert.deepEqual(got, ["1", "asked 2", "3"]);
    await app.advance(500);
    assert.deepEqual(got, ["1", "asked 2", "3", "asked 4"]);
    assert.deepEqual(await Promise.all([asked, last]), ["", ""]);
  });

  it("hold over all its carriers together: a client that comes back has no new bucket", async (t) => {
    const { app, got } = sessionApp(t, { maxMessagesPerSecond: 10, onRateExceeded: "wait" });
    const connection = app.connect("/", { carriers: ["websocket"] });
    await connection.opened;
    for (let i = 0; i < 20; i++) {
      sendAll(connection, numbers(i * 10 + 1, i * 10 + 10));
      await app.advance(100);
      app.network.cut();
    }
    assert.ok(got.length <= 30, `${got.length}`);
    await app.advance(60_000);
    assert.deepEqual(got, numbers(1, 200));
  });

  it("wait where the policy of the server is drop: a session loses no message", async (t) => {
    const { app, got, told } = sessionApp(t, {}, { maxMessagesPerSecond: 10, onRateExceeded: "drop" });
    const connection = app.connect("/");
    sendAll(connection, numbers(1, 50));
    await app.advance(10_000);
    assert.deepEqual([got, told], [numbers(1, 50), []]);
  });

  it("have no policy drop of their own: BAD_OPTION", async (t) => {
    const { app } = sessionApp(t, { onRateExceeded: "drop" as "wait" });
    assert.equal((await app.fetch("/?mode=poll")).status, 500);
    assert.match(String(app.takeErrors()[0]), /onRateExceeded is "drop"; it must be "close" or "wait"/);
  });

  it("count for the address from which it was opened", async (t) => {
    const { app, got, told } = sessionApp(t, {}, { maxMessagesPerSecondPerAddress: 10 });
    const connections = [app.connect("/"), app.connect("/")];
    await Promise.all(connections.map(({ opened }) => opened));
    sendAll(connections[0]!, numbers(1, 6));
    await app.settle();
    sendAll(connections[1]!, numbers(7, 11));
    await app.advance(1000);
    assert.deepEqual(got, numbers(1, 10));
    assert.deepEqual(told, [
      "close server 1008 messages come faster than they may: maxMessagesPerSecondPerAddress is 10",
    ]);
  });
});
