// The identity of a session's client ends, or is renewed before: both real ends, in virtual time.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { CarrierKind, Connection, ConnectOptions } from "../../src/client/index.ts";
import { type Channel, openSession, type SessionHandlers, type SessionOptions } from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";

const CARRIERS: readonly CarrierKind[] = ["websocket", "sse", "poll"];
const LIFE_MS = 100_000;

type Token = () => Record<string, string> | Promise<Record<string, string>>;

class Site {
  readonly app: TestServer;
  /** The handlers that were called. */
  readonly calls: string[] = [];
  /** The method and the rest of the life of each token that was shown, in seconds since the start. */
  readonly shown: string[] = [];
  channel!: Channel;
  readonly startedAt: number;

  /** The `Authorization` of a request has the user and the date at which the token ends. */
  constructor(t: TestContext, options: SessionOptions = {}, handlers: SessionHandlers = {}) {
    this.app = testServer((request) => {
      const [, user, date] = /^Bearer (\w+) (\S+)$/.exec(request.headers.get("authorization") ?? "") ?? [];
      if (date !== undefined) this.shown.push(`${request.method} ${(Number(date) - this.startedAt) / 1000}`);
      const expiresAt = date === undefined ? undefined : Number(date);
      return openSession(request, { ...this.#handlers(), ...handlers }, { identity: user, expiresAt, ...options });
    });
    this.startedAt = this.app.clock.now();
    t.after(() => this.app.stop());
  }

  #handlers(): SessionHandlers {
    const { calls } = this;
    return {
      open: (channel) => {
        calls.push("open");
        this.channel = channel;
      },
      message: (message) => void calls.push(`message ${message}`),
      resumed: () => void calls.push("resumed"),
      close: ({ by, code, reason }) => void calls.push(`close ${by} ${code} ${reason}`),
    };
  }

  /** A new token for each request, which lives for `lifeMs`. */
  fresh(lifeMs: number = LIFE_MS, user = "ann"): Token {
    return () => ({ authorization: `Bearer ${user} ${this.app.clock.now() + lifeMs}` });
  }

  /** The same token for each request. */
  fixed(lifeMs: number = LIFE_MS): Record<string, string> {
    return { authorization: `Bearer ann ${this.startedAt + lifeMs}` };
  }

  connect(carrier: CarrierKind, headers: ConnectOptions["headers"]): { connection: Connection; told: string[] } {
    const connection = this.app.connect("/", { carriers: [carrier], headers });
    const told: string[] = [];
    connection.onState((state) => told.push(state));
    connection.onMessage((message) => told.push(String(message)));
    connection.onOpen(({ session }) => session !== "resumed" && told.push(session));
    connection.onClose(({ by, code, reason }) => told.push(`${by} ${code} ${reason}`));
    connection.onError((error) => told.push((error as Error).message));
    return { connection, told };
  }

  get expired(): number {
    return this.app.server.stats().expired;
  }
}

for (const carrier of CARRIERS) {
  describe(`a session on ${carrier}`, () => {
    it("lives on through many tokens, and its application sees one open connection and every message", async (t) => {
      const site = new Site(t);
      const { connection, told } = site.connect(carrier, site.fresh());
      await site.app.settle();
      for (let n = 0; n < 300; n++) {
        connection.send(`${n}`);
        site.channel.send(`${n}`);
        await site.app.advance(1000);
      }
      const numbers = Array.from({ length: 300 }, (_, n) => `${n}`);
      assert.deepEqual(told, ["open", "new", ...numbers]);
      assert.deepEqual(
        site.calls.filter((call) => call !== "resumed"),
        ["open", ...numbers.map((n) => `message ${n}`)],
      );
      assert.equal(site.expired, 0);
      assert.equal(site.channel.expiresAt! > site.app.clock.now(), true);
    });

    it("lives on with tokens shorter than a poll is parked", async (t) => {
      const site = new Site(t);
      const { connection, told } = site.connect(carrier, site.fresh(20_000));
      await site.app.settle();
      for (let n = 0; n < 10; n++) {
        connection.send(`${n}`);
        site.channel.send(`${n}`);
        await site.app.advance(15_000);
      }
      const numbers = Array.from({ length: 10 }, (_, n) => `${n}`);
      assert.deepEqual(told, ["open", "new", ...numbers]);
      assert.deepEqual(
        site.calls.filter((call) => call !== "resumed"),
        ["open", ...numbers.map((n) => `message ${n}`)],
      );
    });

    it("ends at both ends with 4401 if the client shows the same token again, after the last messages", async (t) => {
      const site = new Site(t);
      const { connection, told } = site.connect(carrier, site.fixed());
      await site.app.advance(LIFE_MS - 1);
      assert.equal(connection.state, "open");
      site.channel.send("last");
      await site.app.advance(501);
      assert.deepEqual(told.slice(-3), ["last", "closed", "server 4401 identity expired"]);
      assert.equal(site.channel.isOpen, false);
      // Without a WebSocket the client cannot acknowledge: its POST has no identity any more.
      await site.app.advance(carrier === "websocket" ? 0 : 6000);
      assert.deepEqual(site.calls.slice(-1), ["close server 4401 identity expired"]);
      assert.equal(site.expired, 1);
      assert.equal(site.app.server.stats().sessions.open, 0);
      // It had asked again and again, but did not flood the server.
      const requests = site.shown.filter((shown) => shown.startsWith("GET")).length;
      assert.ok(requests > 2 && requests < 20, `${requests}`);
    });

    it("goes on if the application's headers throw for a while, and tells each error", async (t) => {
      const site = new Site(t);
      let isBroken = false;
      const fresh = site.fresh();
      const { connection, told } = site.connect(carrier, () => {
        if (isBroken) throw new Error("no token today");
        return fresh();
      });
      await site.app.advance(65_000);
      isBroken = true;
      await site.app.advance(30_000);
      isBroken = false;
      await site.app.advance(3 * LIFE_MS);
      assert.equal(connection.state, "open");
      assert.ok(told.some((line) => line.includes("no token today")));
      assert.deepEqual(
        site.calls.filter((call) => call !== "resumed"),
        ["open"],
      );
    });

    it("goes on if a token does not come, and the next one does", async (t) => {
      const site = new Site(t);
      let hangs = 0;
      let asked = 0;
      const fresh = site.fresh();
      const { connection, told } = site.connect(carrier, () => {
        asked += 1;
        return hangs-- > 0 ? new Promise<never>(() => {}) : fresh();
      });
      await site.app.advance(1000);
      hangs = 1;
      await site.app.advance(3 * LIFE_MS);
      assert.equal(connection.state, "open");
      assert.ok(asked > 3);
      assert.ok(!told.some((line) => line.startsWith("server")));
    });

    it("is renewed by a client that comes back after its connection was cut", async (t) => {
      const site = new Site(t);
      const { told } = site.connect(carrier, site.fresh());
      await site.app.advance(70_000);
      site.app.network.cut();
      await site.app.advance(10_000);
      assert.equal(site.channel.expiresAt! - site.startedAt > 165_000, true);
      await site.app.advance(80_000);
      site.channel.send("still here");
      await site.app.advance(2000);
      assert.equal(told.at(-1), "still here");
      assert.equal(site.expired, 0);
    });

    it("is renewed in time while the network resets every second connection", async (t) => {
      const site = new Site(t);
      const { connection, told } = site.connect(carrier, site.fresh());
      await site.app.settle();
      for (let n = 0; n < 300; n++) {
        if (n % 7 === 0) site.app.network.cutNextAfter(n * 3);
        if (n % 29 === 0) site.app.network.cut();
        connection.send(`${n}`);
        site.channel.send(`${n}`);
        await site.app.advance(1000);
      }
      await site.app.advance(60_000);
      const numbers = Array.from({ length: 300 }, (_, n) => `${n}`);
      assert.deepEqual(
        told.filter((line) => /^\d+$/.test(line)),
        numbers,
      );
      assert.deepEqual(
        site.calls.filter((call) => call.startsWith("message")),
        numbers.map((n) => `message ${n}`),
      );
      assert.ok(!told.includes("lost"));
    });

    it("is over for another identity, whose client gets a new session", async (t) => {
      const site = new Site(t);
      let user = "ann";
      const { told } = site.connect(carrier, () => site.fresh(LIFE_MS, user)());
      await site.app.advance(1000);
      const first = site.channel;
      user = "bob";
      await site.app.advance(95_000);
      assert.ok(told.includes("lost"));
      assert.notEqual(site.channel, first);
      await site.app.advance(70_000);
      assert.equal(first.isOpen, false);
    });

    it("ends if its client shows a token that has ended: at once where the client sees the 401", async (t) => {
      const site = new Site(t);
      let lifeMs = LIFE_MS;
      const { told } = site.connect(carrier, () => site.fresh(lifeMs)());
      await site.app.advance(1000);
      lifeMs = -1;
      await site.app.advance(carrier === "websocket" ? LIFE_MS : 95_000);
      // A page does not see the status of a WebSocket.
      assert.equal(told.at(-1), carrier === "websocket" ? "server 4401 identity expired" : "server 4401 HTTP 401");
    });

    it("is never opened with a token that has ended", async (t) => {
      const site = new Site(t);
      const { told } = site.connect(carrier, site.fixed(0));
      await site.app.advance(1000);
      if (carrier !== "websocket") assert.deepEqual(told, ["closed", "server 1008 HTTP 401"]);
      assert.deepEqual(site.calls, []);
      assert.equal(site.app.server.stats().sessions.open, 0);
      assert.ok(site.app.server.stats().responses["4xx"] > 0);
    });

    it("ends while its client is away, and tells the client that is soon back, with the last messages", async (t) => {
      const site = new Site(t);
      const { told } = site.connect(carrier, site.fresh(30_000));
      await site.app.advance(3000);
      site.channel.expiresAt = site.app.clock.now() + 1000;
      site.app.network.offline();
      site.channel.send("meanwhile");
      await site.app.advance(3000);
      assert.equal(site.channel.isOpen, false);
      assert.equal(site.expired, 1);
      site.app.network.online();
      await site.app.advance(5000);
      assert.deepEqual(told.slice(-3), ["meanwhile", "closed", "server 4401 identity expired"]);
      assert.equal(site.calls.at(-1), "close server 4401 identity expired");
    });

    it("ends while its client is away for longer, which gets a new session with its new token", async (t) => {
      const site = new Site(t);
      const { connection, told } = site.connect(carrier, site.fresh(10_000));
      connection.send("here");
      await site.app.advance(3000);
      const first = site.channel;
      site.app.network.offline();
      await site.app.advance(20_000);
      assert.equal(site.calls.at(-1), "close server 4401 identity expired");
      assert.equal(site.app.server.stats().sessions.open, 0);
      site.app.network.online();
      await site.app.advance(5000);
      assert.ok(told.includes("lost"));
      assert.notEqual(site.channel, first);
    });

    it("has the date that the application sets later, whether earlier or later, and none", async (t) => {
      const site = new Site(t);
      const { told } = site.connect(carrier, site.fixed());
      await site.app.advance(1000);
      assert.equal(site.channel.expiresAt, site.startedAt + LIFE_MS);
      site.channel.expiresAt = undefined;
      assert.equal(site.channel.expiresAt, undefined);
      await site.app.advance(50_000);
      site.channel.expiresAt = new Date(site.app.clock.now() + 10_000);
      await site.app.advance(9000);
      assert.equal(site.channel.isOpen, true);
      await site.app.advance(2000);
      assert.equal(told.at(-1), "server 4401 identity expired");
    });
  });
}

describe("the date of a session", () => {
  it("may be decades ahead, beyond the longest timer of the platform, or never", async (t) => {
    for (const lifeMs of [
      2 ** 31 - 1,
      2 ** 31,
      2 ** 31 + 1,
      8.64e15 - Date.UTC(2024, 0, 1),
      Number.POSITIVE_INFINITY,
    ]) {
      const site = new Site(t, { expiresAt: Date.UTC(2024, 0, 1) + lifeMs });
      const { told } = site.connect("websocket", undefined);
      await site.app.advance(100_000);
      assert.deepEqual(told, ["open", "new"], `${lifeMs}`);
      assert.deepEqual(site.calls, ["open"], "no renewal so early");
      assert.equal(site.channel.expiresAt, lifeMs === Number.POSITIVE_INFINITY ? undefined : site.startedAt + lifeMs);
    }
  });

  it("stays as it is for a request that brings none, and is lifted by Infinity", async (t) => {
    const site = new Site(t);
    let headers: Record<string, string> = site.fixed(30_000);
    site.connect("poll", () => headers);
    await site.app.advance(1000);
    headers = { authorization: "Bearer ann Infinity" };
    await site.app.advance(60_000);
    assert.equal(site.channel.expiresAt, undefined);
    assert.equal(site.channel.isOpen, true);
    site.channel.expiresAt = site.app.clock.now() + 60_000;
    const { expiresAt } = site.channel;
    await site.app.advance(2000);
    assert.equal(site.channel.expiresAt === expiresAt || site.channel.expiresAt === undefined, true);
  });
});
