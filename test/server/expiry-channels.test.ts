// The identity of a client ends: plain channels on every transport, and dates. In virtual time.

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
  withChannel,
} from "../../src/index.ts";
import { type TestServer, type TestServerOptions, testServer, VirtualClock } from "../../src/testing/index.ts";

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
