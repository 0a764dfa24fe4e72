// The identity of a client ends: plain channels on every transport, the requests of a session one by one, and dates.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Clock } from "../../src/base/clock.ts";
import {
  type Channel,
  ChannelError,
  type ChannelOptions,
  type ErrorCode,
  openChannel,
  openSession,
  type ServerStats,
  withChannel,
} from "../../src/index.ts";
import { type TestServer, type TestServerOptions, testServer, VirtualClock } from "../../src/testing/index.ts";
import { serving } from "../support/serving.ts";
import { ask, opened, poll, SocketClient } from "../support/session-client.ts";

const LIFE_MS = 10_000;

interface Site {
  readonly app: TestServer;
  readonly closes: string[];
  readonly channels: Channel[];
  expired(): number;
}

/** A server whose channels have these options. */
function site(
  t: TestContext,
  options: (now: number) => ChannelOptions,
  setup: (channel: Channel) => unknown = () => {},
  more: TestServerOptions = {},
): Site {
  const closes: string[] = [];
  const channels: Channel[] = [];
  const app: TestServer = testServer(
    (request) =>
      withChannel(
        request,
        (channel) => {
          channels.push(channel);
          channel.onClose(({ by, code, reason }) => closes.push(`${by} ${code} ${reason}`));
          return setup(channel);
        },
        options(app.clock.now()),
      ),
    more,
  );
  t.after(() => app.stop());
  return { app, closes, channels, expired: () => app.server.stats().expired };
}

const inLife = (now: number): ChannelOptions => ({ expiresAt: now + LIFE_MS });

describe("a channel whose client's identity has ended", () => {
  it("closes its WebSocket with 4401, after the last messages", async (t) => {
    const { app, closes, channels, expired } = site(t, inLife);
    const socket = await app.websocket("/");
    await app.advance(LIFE_MS - 500);
    channels[0]!.send("last");
    await app.advance(1000);
    assert.equal(await socket.next(), "last");
    const { code, reason } = await socket.closed;
    assert.deepEqual([code, reason], [4401, "identity expired"]);
    assert.deepEqual(closes, ["server 4401 identity expired"]);
    assert.equal(expired(), 1);
    assert.equal(channels[0]!.send("later"), false);
  });

  it("ends its event stream after the last event", async (t) => {
    const { app, closes, channels } = site(t, inLife);
    const answer = await app.fetch("/", { headers: { accept: "text/event-stream" } });
    await app.advance(LIFE_MS - 500);
    channels[0]!.send("last");
    await app.advance(1000);
    assert.match(await answer.text(), /data: last\n\n$/);
    assert.deepEqual(closes, ["server 4401 identity expired"]);
  });

  it("ends its stream after the last part", async (t) => {
    const { app, closes } = site(t, inLife, (channel) => channel.send("part", { close: false }));
    const answer = await app.fetch("/");
    await app.advance(LIFE_MS + 500);
    assert.equal(await answer.text(), "part");
    assert.deepEqual(closes, ["server 4401 identity expired"]);
  });

  it("answers a long poll with 401", async (t) => {
    const { app, closes } = site(t, inLife);
    const answer = app.fetch("/");
    await app.advance(LIFE_MS + 500);
    assert.equal((await answer).status, 401);
    assert.equal(await (await answer).text(), "the identity of this client has expired\n");
    assert.deepEqual(closes, ["server 4401 identity expired"]);
  });

  for (const [name, path] of [
    ["an event stream", "text/event-stream"],
    ["a stream", "*/*"],
  ] as const) {
    it(`cuts off what is being sent for longer as ${name}, so that its client can tell`, async (t) => {
      const { app, closes, channels } = site(t, inLife, (channel) => void channel.send(endless(app)));
      const answer = await app.fetch("/", { headers: { accept: path } });
      await app.advance(LIFE_MS + 1000);
      await assert.rejects(answer.text());
      assert.deepEqual(closes, ["server 4401 identity expired"]);
      assert.equal(channels[0]!.signal.aborted, true);
    });
  }

  it("cuts off a stream that is being sent on a WebSocket", async (t) => {
    const { app, closes } = site(t, inLife, (channel) => void channel.send(endless(app)));
    const socket = await app.websocket("/");
    await app.advance(LIFE_MS + 1000);
    assert.equal((await socket.closed).code, 4401);
    assert.deepEqual(closes, ["server 4401 identity expired"]);
  });

  it("closes while its setup is still running", async (t) => {
    const { app, closes } = site(
      t,
      inLife,
      () => new Promise((resolve) => app.clock.setTimer(() => resolve(0), 20_000)),
    );
    const socket = await app.websocket("/");
    await app.advance(LIFE_MS + 500);
    assert.equal((await socket.closed).code, 4401);
    await app.advance(20_000);
    assert.deepEqual(closes, ["server 4401 identity expired"]);
  });

  it("is closed in time if the application sets the date later, and not if it takes it away", async (t) => {
    const { app, closes, channels } = site(t, inLife);
    await app.websocket("/");
    await app.advance(0);
    assert.equal(channels[0]!.expiresAt, app.clock.now() + LIFE_MS);
    channels[0]!.expiresAt = Number.POSITIVE_INFINITY;
    assert.equal(channels[0]!.expiresAt, undefined);
    await app.advance(2 * LIFE_MS);
    channels[0]!.expiresAt = new Date(app.clock.now() + 2000);
    await app.advance(1999);
    assert.deepEqual(closes, []);
    await app.advance(501);
    assert.deepEqual(closes, ["server 4401 identity expired"]);
    channels[0]!.expiresAt = undefined;
    assert.equal(channels[0]!.isOpen, false);
  });

  it("is closed at the next tick if the application sets a date that has passed", async (t) => {
    const { app, closes, channels } = site(t, () => ({}));
    await app.websocket("/");
    await app.advance(0);
    assert.equal(channels[0]!.expiresAt, undefined);
    channels[0]!.expiresAt = app.clock.now() - 1;
    await app.advance(500);
    assert.deepEqual(closes, ["server 4401 identity expired"]);
  });
});

/** Parts without an end, one a second of the server's clock. */
async function* endless({ clock }: TestServer): AsyncGenerator<string> {
  for (;;) {
    yield "part";
    await new Promise<void>((resolve) => clock.setTimer(() => resolve(), 1000));
  }
}

describe("a request whose identity has ended", () => {
  for (const passedMs of [0, 1, 1000, Number.POSITIVE_INFINITY]) {
    it(`${passedMs} ms ago is refused with 401 on every transport, and no setup runs`, async (t) => {
      const { app, channels } = site(t, (now) => ({
        expiresAt: now - passedMs,
        headers: { "WWW-Authenticate": "Bearer" },
      }));
      await assert.rejects(app.websocket("/"), { code: "BAD_HANDSHAKE" });
      for (const accept of ["text/event-stream", "*/*"]) {
        const answer = await app.fetch("/", { headers: { accept } });
        assert.equal(answer.status, 401);
        assert.equal(answer.headers.get("www-authenticate"), "Bearer");
        assert.equal(await answer.text(), "the identity of this client has expired\n");
      }
      assert.deepEqual(channels, []);
      assert.equal(app.server.stats().responses["4xx"], 3);
      assert.deepEqual(app.takeErrors(), []);
    });
  }

  it("gives the application a channel that is closed", async (t) => {
    let channel: Channel | undefined;
    const app = testServer((request) => {
      channel = openChannel(request, { open: () => assert.fail() }, { expiresAt: new Date(0) });
      return channel;
    });
    t.after(() => app.stop());
    assert.equal((await app.fetch("/")).status, 401);
    assert.equal(channel!.isOpen, false);
  });
});

describe("the option expiresAt", () => {
  for (const value of [Number.NaN, new Date(Number.NaN), "2024-01-01", null, {}, 10n]) {
    it(`is BAD_OPTION as ${String(value)}, and so is the property`, async (t) => {
      const { app, channels } = site(t, () => ({ expiresAt: value as Date }));
      assert.equal((await app.fetch("/")).status, 500);
      assert.deepEqual(app.takeErrors().map(codeOf), ["BAD_OPTION"]);
      assert.deepEqual(channels, []);
      const other = site(t, () => ({}));
      await other.app.websocket("/");
      await other.app.advance(0);
      assert.throws(() => (other.channels[0]!.expiresAt = value as Date), { code: "BAD_OPTION" });
      assert.equal(other.channels[0]!.expiresAt, undefined);
    });
  }

  it("is BAD_OPTION for a number of seconds, as a JWT has it, and says what to do", async (t) => {
    const { app } = site(t, (now) => ({ expiresAt: Math.floor(now / 1000) + 3600 }));
    assert.equal((await app.fetch("/")).status, 500);
    const [error] = app.takeErrors();
    assert.equal(codeOf(error), "BAD_OPTION");
    assert.match((error as Error).message, /give exp \* 1000/);
  });

  it("is checked again where an object of options was changed after its first use", async (t) => {
    const options: { expiresAt: number } = { expiresAt: Number.POSITIVE_INFINITY };
    const { app } = site(t, () => options);
    const socket = await app.websocket("/");
    options.expiresAt = Number.NaN;
    await assert.rejects(app.websocket("/"));
    assert.deepEqual(app.takeErrors().map(codeOf), ["BAD_OPTION"]);
    socket.close();
  });

  for (const expiresAt of [2 ** 31, 2 ** 53, 8.64e15, Number.MAX_VALUE, new Date(8.64e15)]) {
    it(`may be ${String(Number(expiresAt))}`, async (t) => {
      // A clock that begins in 1970, where 2^31 is 24 days ahead.
      const { app, closes, channels } = site(t, () => ({ expiresAt }), undefined, { clock: new VirtualClock(0) });
      await app.websocket("/");
      await app.advance(100_000);
      assert.deepEqual(closes, []);
      assert.equal(channels[0]!.expiresAt, Number(expiresAt));
    });
  }
});

function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof ChannelError ? error.code : undefined;
}

/** A clock whose date may jump, as that of a system whose clock is set. */
class DatedClock extends VirtualClock {
  jumpedMs = 0;

  date(): number {
    return this.now() + this.jumpedMs;
  }
}

describe("an identity that ends, where the date of the system is set to another hour,", () => {
  for (const [hours, isOpen] of [
    [1, false],
    [-1, true],
  ] as const) {
    it(`ends by the new date: ${hours} hours forward`, async (t) => {
      const clock = new DatedClock();
      const { app, channels } = site(t, () => ({ expiresAt: clock.date() + LIFE_MS }), undefined, { clock });
      await app.websocket("/");
      await app.advance(1000);
      clock.jumpedMs = hours * 3_600_000;
      await app.advance(LIFE_MS);
      assert.equal(channels[0]!.isOpen, isOpen);
      await app.advance(3_600_000);
      assert.equal(channels[0]!.isOpen, false);
    });
  }

  it("is announced to a session's client by the new date", async (t) => {
    const clock: Clock & { jumpedMs: number } = new DatedClock();
    const expiresAt = clock.now() + 2 * 3_600_000;
    const app = testServer((request) => openSession(request, {}, { expiresAt }), { clock: clock as DatedClock });
    t.after(() => app.stop());
    const left = async (query = ""): Promise<number> =>
      Number(/"expiresInMs":(\d+)/.exec(await (await app.fetch(`/?mode=poll&park=0${query}`)).text())?.[1]);
    assert.equal(await left(), 7_200_000);
    clock.jumpedMs = 3_600_000;
    assert.equal(await left(), 3_600_000);
  });
});

describe("thousands of channels and sessions whose identities end", () => {
  it("need no timer of their own, and are closed at the same tick, with turns for other work", async (t) => {
    const { app, closes, expired } = site(t, inLife);
    const before = app.clock.pending;
    for (let n = 0; n < 1000; n++) await app.websocket("/");
    const timers = app.clock.pending - before;
    await app.advance(LIFE_MS + 1000);
    assert.equal(closes.length, 1000);
    assert.equal(expired(), 1000);
    const plain = site(t, () => ({}));
    const beforePlain = plain.app.clock.pending;
    for (let n = 0; n < 1000; n++) await plain.app.websocket("/");
    assert.equal(timers, plain.app.clock.pending - beforePlain);
  });
});

describe("the requests of a session whose identity ends", () => {
  /** The query of a request has its date, in seconds from now on. */
  async function start(t: TestContext) {
    const channels: Channel[] = [];
    const calls: string[] = [];
    const handlers = {
      open: (channel: Channel) => void channels.push(channel),
      message: (message: unknown) => void calls.push(String(message)),
    };
    const { target, server } = await serving(t, (request) => {
      const inS = request.query.get("ends");
      return openSession(request, handlers, { expiresAt: inS === null ? undefined : Date.now() + 1000 * Number(inS) });
    });
    const endpoint = { ...target, pathname: "/" };
    return { endpoint, channels, calls, server };
  }

  /** Asserts that the identity ends in about as many seconds. */
  function endsIn(seconds: number, expiresAt: number | undefined): void {
    assert.ok(Math.abs(expiresAt! - Date.now() - 1000 * seconds) < 500_000, `${expiresAt! - Date.now()} ms`);
  }

  it("renew it by each GET and WebSocket, to an earlier or later date", async (t) => {
    const { endpoint, channels } = await start(t);
    const first = opened(await poll(t, endpoint, { ends: 1000 }));
    const { session } = first;
    endsIn(1000, channels[0]!.expiresAt);
    endsIn(1000, Date.now() + first.expiresInMs!);
    for (const ends of [3000, 2000, 5000]) {
      const open = opened(await poll(t, endpoint, { session, after: 0, park: 0, ends }));
      endsIn(ends, channels[0]!.expiresAt);
      endsIn(ends, Date.now() + open.expiresInMs!);
    }
    const socket = await SocketClient.open(t, endpoint, { session, after: 0, ends: 4000 });
    endsIn(4000, Date.now() + (await socket.opened()).expiresInMs!);
    endsIn(4000, channels[0]!.expiresAt);
  });

  it("leave it as it is where they bring no date", async (t) => {
    const { endpoint, channels } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    const open = opened(await poll(t, endpoint, { session, after: 0, park: 0 }));
    endsIn(1000, Date.now() + open.expiresInMs!);
    endsIn(1000, channels[0]!.expiresAt);
  });

  it("take its end away with Infinity", async (t) => {
    const { endpoint, channels } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    const open = opened(await poll(t, endpoint, { session, after: 0, park: 0, ends: "Infinity" }));
    assert.equal(open.expiresInMs, undefined);
    assert.equal(channels[0]!.expiresAt, undefined);
  });

  it("put it off by a POST, which never makes it earlier", async (t) => {
    const { endpoint, channels } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    const postTo = async (ends: number, from: number): Promise<void> => {
      const query = { session, from, ends };
      assert.equal((await ask(t, endpoint, { method: "POST", query, body: "data: a\n\n" })).status, 200);
    };
    await postTo(3000, 1);
    endsIn(3000, channels[0]!.expiresAt);
    await postTo(2000, 2);
    endsIn(3000, channels[0]!.expiresAt);
  });

  it("are refused with 401 where their own date has passed, and change nothing", async (t) => {
    const { endpoint, channels, calls } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    assert.equal((await poll(t, endpoint, { session, after: 0, park: 0, ends: -1 })).status, 401);
    const query = { session, from: 1, ends: -1 };
    assert.equal((await ask(t, endpoint, { method: "POST", query, body: "data: a\n\n" })).status, 401);
    await assert.rejects(SocketClient.open(t, endpoint, { session, after: 0, ends: -1 }));
    endsIn(1000, channels[0]!.expiresAt);
    assert.deepEqual(calls, []);
  });

  it("come too late to renew what has ended, even before a tick of the server", async (t) => {
    const { endpoint, channels, server } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    channels[0]!.expiresAt = Date.now() - 1;
    const { records } = await poll(t, endpoint, { session, after: 0, ends: 1000 });
    assert.deepEqual(records.at(-1), { type: "close", code: 4401, reason: "identity expired" });
    assert.equal(channels[0]!.isOpen, false);
    const { expired }: ServerStats = server.stats();
    assert.equal(expired, 1);
  });
});
