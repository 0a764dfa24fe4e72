// Requests and replies over sessions, in both directions and on every carrier: in memory and virtual time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect, type RequestConnection, type RequestsOptions, requests } from "../../src/client/index.ts";
import {
  type Channel,
  ChannelError,
  openSession,
  RequestError,
  type SessionHandlers,
  type SessionOptions,
  withChannel,
} from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";

const CARRIERS = ["websocket", "sse", "poll"] as const;
type Carrier = (typeof CARRIERS)[number];

interface Pair extends AsyncDisposable {
  readonly app: TestServer;
  readonly connection: RequestConnection;
  readonly channel: () => Channel;
  /** The errors that the server has reported. */
  readonly reported: unknown[];
}

interface PairOptions extends SessionOptions {
  readonly carrier?: Carrier;
  readonly client?: RequestsOptions;
}

/** A client and its session, which is open. */
async function pair(handlers: SessionHandlers = {}, options: PairOptions = {}): Promise<Pair> {
  const { carrier = "websocket", client, ...rest } = options;
  const reported: unknown[] = [];
  let channel: Channel | undefined;
  const app = testServer(
    (request) => {
      channel = openSession(request, handlers, rest);
      return channel;
    },
    { onError: (error) => reported.push(error) },
  );
  const connection = app.connect("/", { carriers: [carrier], requests: requests(client) });
  await app.settle();
  return { app, connection, channel: () => channel!, reported, [Symbol.asyncDispose]: () => app.stop() };
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
}

function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** Lets both ends do what they have to do. A promise that rejects meanwhile is handled. */
async function settled<P extends Promise<unknown>>(site: Pair, promise: P): Promise<{ readonly promise: P }> {
  promise.catch(() => {});
  await site.app.settle();
  return { promise };
}

/** The error with which a promise rejects. */
async function errorOf(promise: Promise<unknown>): Promise<ChannelError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`resolved with ${String(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ChannelError, String(error));
  return error;
}

/** The error with which a promise rejects, by its code. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return (await errorOf(promise)).code;
}

for (const carrier of CARRIERS) {
  describe(`requests on ${carrier}`, () => {
    it("of the client are answered by the server's handler", async () => {
      await using site = await pair({ request: (data) => `answer to ${data}` }, { carrier });
      const reply = site.connection.request("one");
      await site.app.settle();
      assert.equal(await reply, "answer to one");
    });

    it("of the server are answered by the client's handler", async () => {
      await using site = await pair({}, { carrier });
      site.connection.onRequest(async (data) => `answer to ${data}`);
      const reply = site.channel().request("one");
      await site.app.settle();
      assert.equal(await reply, "answer to one");
    });

    it("and their replies carry any text and any bytes", async () => {
      await using site = await pair({ request: (data) => data }, { carrier });
      site.connection.onRequest((data) => data);
      const values = [
        "",
        "a\nb\n",
        "a\rb\\r\r\n",
        "\\",
        "ß 漢 😀",
        "\0",
        new Uint8Array(0),
        new Uint8Array([0, 255, 13, 10]),
      ];
      for (const value of values) {
        const replies = [site.connection.request(value), site.channel().request(value)];
        await site.app.settle();
        for (const reply of await Promise.all(replies)) {
          assert.deepEqual(typeof reply === "string" ? reply : new Uint8Array(reply), value);
        }
      }
    });

    it("keep their order with messages", async () => {
      const got: string[] = [];
      const record = (what: string) => (data: unknown) => void got.push(`${what} ${data}`);
      await using site = await pair({ message: record("message"), request: record("request") }, { carrier });
      const replies: Promise<unknown>[] = [];
      for (let i = 0; i < 10; i++) {
        if (i % 3 === 0) replies.push(site.connection.request(`${i}`));
        else site.connection.send(`${i}`);
      }
      await site.app.settle();
      await Promise.all(replies);
      assert.deepEqual(
        got,
        Array.from({ length: 10 }, (_, i) => `${i % 3 === 0 ? "request" : "message"} ${i}`),
      );
    });
  });
}

describe("a request", () => {
  it("learns nothing of an exception but its code, and the exception is reported where it was thrown", async () => {
    const secret = new Error("the password is 1234");
    await using site = await pair({
      request() {
        throw secret;
      },
    });
    const errors: unknown[] = [];
    site.connection.onError((error) => errors.push(error));
    site.connection.onRequest(() => Promise.reject(secret));
    for (const ask of [() => site.connection.request("x"), () => site.channel().request("x")]) {
      const { promise } = await settled(site, ask());
      const error = await errorOf(promise);
      assert.equal(error.code, "REQUEST_FAILED");
      assert.ok(!error.message.includes("1234") && error.cause === undefined);
    }
    assert.deepEqual(site.reported, [secret]);
    assert.deepEqual(errors, [secret]);
  });

  it("that is refused on purpose learns the reason and the data, and nothing is reported", async () => {
    await using site = await pair({
      request(data) {
        throw new RequestError(`no ${data}`, { left: 3 });
      },
    });
    site.connection.onRequest(async (data) => {
      throw new RequestError(`no ${data}`, { left: 3 });
    });
    for (const ask of [() => site.connection.request("tickets"), () => site.channel().request("tickets")]) {
      const { promise } = await settled(site, ask());
      const error = await errorOf(promise);
      assert.ok(error instanceof RequestError);
      assert.equal(error.code, "REQUEST_REFUSED");
      assert.equal(error.reason, "no tickets");
      assert.deepEqual(error.data, { left: 3 });
    }
    assert.deepEqual(site.reported, []);
  });

  it("may be refused by plain JavaScript with a reason that is no text, and the session goes on", async () => {
    const reasons: unknown[] = [404, null, { a: 1 }, undefined];
    const refuse = (data: unknown): never => {
      throw new RequestError(reasons[Number(data)] as string);
    };
    await using site = await pair({ request: refuse });
    site.connection.onRequest(refuse);
    for (const ask of [(n: string) => site.connection.request(n), (n: string) => site.channel().request(n)]) {
      const told: unknown[] = [];
      for (const n of reasons.keys()) {
        const { promise } = await settled(site, ask(`${n}`));
        told.push(((await errorOf(promise)) as RequestError).reason);
      }
      assert.deepEqual(told, ["404", "null", "[object Object]", ""]);
    }
  });

  it("fails if the data of a refusal, or the reply, cannot be sent; the mistake is reported", async () => {
    const values: unknown[] = [42, new Response("x").body];
    await using site = await pair({
      request(data) {
        if (data === "refuse") throw new RequestError("no", { big: 1n });
        return values.shift() as string;
      },
    });
    for (const data of ["refuse", "number", "stream"]) {
      const { promise: reply } = await settled(site, site.connection.request(data));
      assert.equal(await codeOf(reply), "REQUEST_FAILED");
    }
    assert.deepEqual(
      site.reported.map((error) => (error as ChannelError).code),
      ["BAD_DATA", "BAD_DATA", "BAD_DATA"],
    );
  });

  it("is told apart from a failed one if there is no handler", async () => {
    await using site = await pair();
    const codes = Promise.all([site.connection.request("x"), site.channel().request("x")].map(codeOf));
    await site.app.settle();
    assert.deepEqual(await codes, ["REQUEST_UNHANDLED", "REQUEST_UNHANDLED"]);
  });

  it("is answered with an empty text by a handler that returns nothing", async () => {
    await using site = await pair({ request: () => undefined });
    site.connection.onRequest(() => undefined);
    const replies = [site.connection.request("x"), site.channel().request("x")];
    await site.app.settle();
    assert.deepEqual(await Promise.all(replies), ["", ""]);
  });

  it("that is slow holds neither messages nor other requests up", async () => {
    const got: unknown[] = [];
    const slow = deferred<string>();
    await using site = await pair({
      message: (message) => void got.push(message),
      request: (data) => (data === "slow" ? slow.promise : data),
    });
    const first = site.connection.request("slow");
    site.connection.send("message");
    const second = site.connection.request("fast");
    await site.app.settle();
    assert.equal(await second, "fast");
    assert.deepEqual(got, ["message"]);
    slow.resolve("done");
    await site.app.settle();
    assert.equal(await first, "done");
  });

  it("waits for the setup, and for an earlier message whose receiver is not done", async () => {
    const order: string[] = [];
    const setup = deferred();
    const receiver = deferred();
    await using site = await pair({
      open: () => setup.promise,
      message: () => receiver.promise,
      request: (data) => void order.push(`request ${data}`),
    });
    void site.connection.request("1");
    site.connection.send("x");
    void site.connection.request("2");
    await site.app.settle();
    assert.deepEqual(order, []);
    setup.resolve();
    await site.app.settle();
    assert.deepEqual(order, ["request 1"]);
    receiver.resolve();
    await site.app.settle();
    assert.deepEqual(order, ["request 1", "request 2"]);
  });

  it("is handled in its order beside a loop over the messages", async () => {
    const order: string[] = [];
    await using site = await pair({
      async open(channel) {
        void (async () => {
          for await (const message of channel) {
            await Promise.resolve();
            order.push(`message ${message}`);
          }
        })();
      },
      request: (data) => void order.push(`request ${data}`),
    });
    const all = [];
    for (let i = 0; i < 12; i++) {
      if (i % 3 === 0) site.connection.send(`${i}`);
      else all.push(site.connection.request(`${i}`));
    }
    await site.app.settle();
    await Promise.all(all);
    assert.deepEqual(
      order,
      Array.from({ length: 12 }, (_, i) => `${i % 3 === 0 ? "message" : "request"} ${i}`),
    );
  });

  it("is handled after a loop over the messages has ended, which drops messages alone", async () => {
    const got: string[] = [];
    await using site = await pair({
      async open(channel) {
        void (async () => {
          for await (const message of channel) {
            got.push(`message ${message}`);
            await new Promise(setImmediate);
            if (message === "stop") break;
          }
        })();
      },
      request: (data) => `handled ${data}`,
    });
    const { connection } = site;
    connection.send("stop");
    // The first one waits for the loop, which does not come to it.
    const replies = [connection.request("1")];
    connection.send("dropped");
    replies.push(connection.request("2"));
    await site.app.advance(1000);
    connection.send("dropped");
    for (let n = 0; n < 150; n++) {
      replies.push(connection.request("n"));
      await site.app.settle();
    }
    assert.deepEqual((await Promise.all(replies)).slice(0, 3), ["handled 1", "handled 2", "handled n"]);
    assert.deepEqual(got, ["message stop"]);
    connection.close();
    await site.app.settle();
    assert.deepEqual(site.app.server.stats().channels, { websocket: 0, sse: 0, stream: 0, poll: 0 });
  });

  it("of the server may be awaited in a message handler and in a request handler", async () => {
    const got: unknown[] = [];
    await using site = await pair({
      message: async (_, channel) => void got.push(await channel.request("from message")),
      request: async (_, channel) => channel.request("from request"),
    });
    site.connection.onRequest((data) => `${data}: yes`);
    site.connection.send("x");
    const reply = site.connection.request("y");
    await site.app.settle();
    assert.equal(await reply, "from request: yes");
    assert.deepEqual(got, ["from message: yes"]);
  });

  it("follows a stream that is being sent before it", async () => {
    await using site = await pair();
    const order: unknown[] = [];
    site.connection.onMessage((message) => order.push(message));
    site.connection.onRequest((data) => {
      order.push(data);
      return "done";
    });
    async function* parts(): AsyncGenerator<string> {
      yield "part 1";
      await new Promise((resolve) => setTimeout(resolve, 5));
      yield "part 2";
    }
    site.channel().send(parts());
    const reply = site.channel().request("after");
    await site.app.settle();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await site.app.settle();
    assert.equal(await reply, "done");
    assert.deepEqual(order, ["part 1", "part 2", "after"]);
  });
});

describe("a request without a reply", () => {
  /** Handlers at both ends that never answer, and the signals that they were given. */
  async function silent(): Promise<Pair & { readonly signals: AbortSignal[] }> {
    const signals: AbortSignal[] = [];
    const site = await pair({
      request(_, __, { signal }) {
        signals.push(signal);
        return new Promise(() => {});
      },
    });
    site.connection.onRequest((_, { signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    });
    return Object.assign(site, { signals });
  }

  it("rejects after timeoutMs, by default after 30 s, and the other end's handler is told", async () => {
    await using site = await silent();
    const codes: string[] = [];
    const note = (name: string, promise: Promise<unknown>) =>
      void promise.catch((error: ChannelError) => codes.push(`${name} ${error.code}`));
    note("client 1 s", site.connection.request("x", { timeoutMs: 1000 }));
    note("server 2 s", site.channel().request("x", { timeoutMs: 2000 }));
    note("client", site.connection.request("x"));
    note("never", site.channel().request("x", { timeoutMs: Number.POSITIVE_INFINITY }));
    await site.app.advance(999);
    assert.deepEqual(codes, []);
    await site.app.advance(1001);
    assert.deepEqual(codes, ["client 1 s REPLY_TIMEOUT", "server 2 s REPLY_TIMEOUT"]);
    await site.app.advance(27_000);
    assert.equal(codes.length, 2);
    await site.app.advance(1500);
    assert.deepEqual(codes.slice(2), ["client REPLY_TIMEOUT"]);
    assert.deepEqual(site.signals.map(({ aborted }) => aborted).sort(), [false, true, true, true]);
    for (const { aborted, reason } of site.signals) if (aborted) assert.equal(reason.code, "REQUEST_CANCELLED");
    await site.app.advance(100_000);
    assert.equal(codes.length, 3);
  });

  it("rejects with the reason of its signal, and the other end's handler is told", async () => {
    await using site = await silent();
    const why = new Error("the page has changed");
    for (const end of [site.connection, site.channel()]) {
      const aborter = new AbortController();
      const rejects = assert.rejects(end.request("x", { signal: aborter.signal }), why);
      await site.app.settle();
      aborter.abort(why);
      await site.app.settle();
      await rejects;
      assert.equal(site.signals.shift()?.reason.code, "REQUEST_CANCELLED");
    }
  });

  it("is not sent if its signal has aborted before, and not handled if it is cancelled before its turn", async () => {
    let calls = 0;
    const setup = deferred();
    await using site = await pair({ open: () => setup.promise, request: () => void (calls += 1) });
    await assert.rejects(site.connection.request("x", { signal: AbortSignal.abort(new Error("before")) }), /before/);
    const aborter = new AbortController();
    const reply = site.connection.request("x", { signal: aborter.signal });
    await site.app.settle();
    aborter.abort(new Error("meanwhile"));
    await assert.rejects(reply, /meanwhile/);
    await site.app.settle();
    setup.resolve();
    const last = site.connection.request("y");
    await site.app.settle();
    await last;
    assert.equal(calls, 1);
  });

  it("rejects with REQUEST_LOST when either end closes, and its handler is told", async () => {
    for (const closing of ["client", "server", "terminated"] as const) {
      await using site = await silent();
      const replies = [site.connection.request("x"), site.channel().request("x")];
      const codes = Promise.all(replies.map(codeOf));
      await site.app.settle();
      if (closing === "client") site.connection.close();
      else if (closing === "server") site.channel().close(4000, "enough");
      else site.channel().terminate();
      await site.app.advance(100_000);
      assert.deepEqual(await codes, ["REQUEST_LOST", "REQUEST_LOST"], closing);
      assert.deepEqual(
        site.signals.map(({ aborted }) => aborted),
        [true, true],
        closing,
      );
    }
  });

  it("ignores what its handler returns after the end", async () => {
    const late = deferred<string>();
    await using site = await pair({ request: () => late.promise });
    site.connection.onRequest(() => late.promise);
    const codes = Promise.all([site.connection.request("x"), site.channel().request("x")].map(codeOf));
    await site.app.settle();
    site.connection.close();
    await site.app.settle();
    late.resolve("late");
    await site.app.advance(100_000);
    assert.deepEqual(await codes, ["REQUEST_LOST", "REQUEST_LOST"]);
    assert.deepEqual(site.reported, []);
  });
});

describe("requests that cannot be sent", () => {
  it("reject on a channel without a session", async () => {
    let channel: Channel | undefined;
    await using app = testServer((request) => {
      channel = withChannel(request, () => {});
      return channel;
    });
    await app.websocket("/");
    await app.settle();
    assert.equal(await codeOf(channel!.request("x")), "REQUESTS_UNSUPPORTED");
  });

  it("reject if the client has none", async () => {
    let channel: Channel | undefined;
    await using app = testServer((request) => {
      channel = openSession(request, {});
      return channel;
    });
    const connection = app.connect("/");
    await app.settle();
    assert.equal(await codeOf(channel!.request("x")), "REQUESTS_UNSUPPORTED");
    assert.equal("request" in connection, false);
  });

  it("reject after the end, with a full buffer, and with wrong options or data", async () => {
    await using site = await pair({}, { maxBufferedBytes: 10_000, onOverflow: "drop" });
    const { connection } = site;
    const channel = site.channel();
    for (const options of [
      { timeoutMs: 0 },
      { timeoutMs: 2 ** 31 },
      { timeoutMs: Number.NaN },
      { signal: 1 },
      { time: 1 },
    ]) {
      assert.equal(await codeOf(connection.request("x", options as object)), "BAD_OPTION");
      assert.equal(await codeOf(channel.request("x", options as object)), "BAD_OPTION");
    }
    assert.equal(await codeOf(connection.request(42 as never)), "BAD_DATA");
    assert.equal(await codeOf(channel.request(42 as never)), "BAD_DATA");
    assert.equal(await codeOf(channel.request(new Blob(["x"]))), "BAD_DATA");
    site.app.network.stall();
    channel.send("x".repeat(20_000));
    assert.equal(await codeOf(channel.request("x")), "BUFFER_OVERFLOW");
    while (connection.send("x".repeat(100_000)));
    assert.equal(await codeOf(connection.request("x")), "BUFFER_OVERFLOW");
    site.app.network.resume();
    connection.close();
    await site.app.settle();
    assert.equal(await codeOf(connection.request("x")), "CONNECTION_CLOSED");
    assert.equal(await codeOf(channel.request("x")), "CHANNEL_CLOSED");
  });

  it("leave a session that drops what does not fit, and whose reply did not fit, with REQUEST_FAILED", async () => {
    await using site = await pair(
      {
        request(_, channel) {
          channel.send("x".repeat(20_000));
          return "reply";
        },
      },
      { maxBufferedBytes: 10_000, onOverflow: "drop" },
    );
    const { promise: reply } = await settled(site, site.connection.request("x"));
    assert.equal(await codeOf(reply), "REQUEST_FAILED");
  });

  it("are those over the limit of the other end, which a client that does not count learns as well", async () => {
    const held: (() => void)[] = [];
    const hold = () => new Promise<string>((resolve) => held.push(() => resolve("done")));
    await using site = await pair({ request: hold }, { maxRequests: 3, client: { maxRequests: 2 } });
    site.connection.onRequest(hold);
    const ofClient = Array.from({ length: 3 }, () => site.connection.request("x"));
    const ofServer = Array.from({ length: 2 }, () => site.channel().request("x"));
    await site.app.settle();
    assert.equal(await codeOf(site.connection.request("x")), "TOO_MANY_REQUESTS");
    assert.equal(await codeOf(site.channel().request("x")), "TOO_MANY_REQUESTS");
    for (const release of held.splice(0)) release();
    await site.app.settle();
    assert.deepEqual(await Promise.all([...ofClient, ...ofServer]), Array(5).fill("done"));
    const again = site.connection.request("x");
    await site.app.settle();
    held[0]!();
    await site.app.settle();
    assert.equal(await again, "done");
  });

  it("are those whose cancelled predecessors still run: their handlers count", async () => {
    const held: (() => void)[] = [];
    await using site = await pair(
      { request: () => new Promise<string>((resolve) => held.push(() => resolve("done"))) },
      { maxRequests: 2 },
    );
    const aborter = new AbortController();
    for (let i = 0; i < 2; i++) void site.connection.request("x", { signal: aborter.signal }).catch(() => {});
    await site.app.settle();
    aborter.abort();
    await site.app.settle();
    const { promise: third } = await settled(site, site.connection.request("x"));
    assert.equal(await codeOf(third), "TOO_MANY_REQUESTS");
    for (const release of held) release();
    await site.app.settle();
    const fourth = site.connection.request("x");
    await site.app.settle();
    held.at(-1)!();
    await site.app.settle();
    assert.equal(await fourth, "done");
  });
});

describe("the option requests and onRequest", () => {
  it("refuse wrong values and second handlers", async () => {
    for (const maxRequests of [0, 1.5, 1_000_001, "1"]) {
      assert.throws(() => requests({ maxRequests: maxRequests as number }), { code: "BAD_OPTION" });
    }
    assert.throws(() => requests({ max: 1 } as RequestsOptions), { code: "BAD_OPTION" });
    requests({ maxRequests: 1 });
    requests({ maxRequests: 1_000_000 });
    assert.throws(() => connect("http://a.example/", { requests: true } as never), { code: "BAD_OPTION" });
    await using site = await pair({ request: () => "server" });
    assert.throws(() => site.channel().onRequest(() => "x"), { code: "HANDLER_EXISTS" });
    const remove = site.connection.onRequest(() => "client");
    assert.throws(() => site.connection.onRequest(() => "x"), { code: "HANDLER_EXISTS" });
    assert.throws(() => site.connection.onRequest(1 as never), { code: "BAD_OPTION" });
    remove();
    site.connection.onRequest(() => "second");
    const reply = site.channel().request("x");
    await site.app.settle();
    assert.equal(await reply, "second");
  });

  it("may be set in open, and removed", async () => {
    let remove: (() => void) | undefined;
    await using site = await pair({ open: (channel) => void (remove = channel.onRequest(() => "set in open")) });
    const first = site.connection.request("x");
    await site.app.settle();
    assert.equal(await first, "set in open");
    remove!();
    const { promise: second } = await settled(site, site.connection.request("x"));
    assert.equal(await codeOf(second), "REQUEST_UNHANDLED");
  });
});
