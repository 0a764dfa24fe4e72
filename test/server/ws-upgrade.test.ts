// The `upgrade` check, which runs before a WebSocket opens. RFC 6455 §4.2.2 lets it answer with any status
// instead of 101, and add fields to the 101.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { ChannelError, json, type ServeOptions, type UpgradeCheck, withChannel } from "../../src/index.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { deferred, settled, until } from "../support/wait.ts";
import { textFrame, upgradeRequest, WsClient } from "../support/ws-client.ts";

/** A site that says what its handler saw, and answers each message with its channel's attachment. */
async function guarded(
  t: TestContext,
  upgrade: UpgradeCheck,
  options: ServeOptions = {},
): Promise<{ site: Site; handled: string[] }> {
  const handled: string[] = [];
  const site = await serving(
    t,
    (r) => {
      handled.push(r.path);
      if (!r.isWebSocket) return "plain";
      return withChannel(
        r,
        (channel) => channel.onMessage((message) => channel.send(`${message} ${channel.attachment}`)),
        { headers: { "X-Channel": "1" } },
      );
    },
    { ...options, upgrade },
  );
  return { site, handled };
}

const ACCEPTED =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

describe("an upgrade check", () => {
  for (const [how, wrap] of [
    ["at once", <T>(value: T) => value],
    ["later", async <T>(value: T) => value],
  ] as const) {
    it(`lets a WebSocket open by returning nothing, ${how}`, async (t) => {
      const { site, handled } = await guarded(t, () => wrap(undefined));
      const client = await WsClient.open(t, site.target, { first: textFrame("early") });
      assert.equal(await client.message(), "early undefined");
      assert.deepEqual(handled, ["/"]);
    });

    it(`adds headers to the 101, before those of the channel, and says who it is, ${how}`, async (t) => {
      const { site } = await guarded(t, (r) =>
        wrap({ headers: { "Set-Cookie": ["a=1", "b=2"] }, attachment: r.query.get("user") }),
      );
      const client = await site.connect();
      client.write(Buffer.concat([Buffer.from(upgradeRequest("/?user=ann")), textFrame("I am")]));
      const head = `${ACCEPTED}Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Channel: 1\r\n\r\n`;
      assert.equal((await client.take(head.length)).toString("latin1"), head);
      assert.equal((await client.take(10)).toString("latin1"), "\x81\x08I am ann");
    });

    for (const [what, result, status, text] of [
      ["a response", { status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "who?\n" }, 401, "who?\n"],
      ["json", json({ error: "no" }, { status: 403 }), 403, '{"error":"no"}'],
      ["a status alone", { status: 429, headers: { "Retry-After": "5" } }, 429, ""],
      ["a body alone", { body: "no WebSockets here" }, 200, "no WebSockets here"],
    ] as const) {
      it(`answers with ${what}, ${how}; the handler does not run, and nothing behind it is read`, async (t) => {
        const { site, handled } = await guarded(t, () => wrap(result));
        const client = await site.connect();
        client.write(Buffer.concat([Buffer.from(upgradeRequest("/ws")), textFrame("never")]));
        const response = await client.response();
        assert.deepEqual([response.status, response.text], [status, text]);
        assert.deepEqual(response.headers.get("connection"), ["close"]);
        await client.ended();
        assert.deepEqual(handled, []);
      });
    }

    it(`answers with a Fetch Response, ${how}`, async (t) => {
      const { site, handled } = await guarded(t, () => wrap(new Response("not you", { status: 403 })));
      const client = await site.connect();
      client.write(upgradeRequest());
      const response = await client.response();
      assert.deepEqual([response.status, response.text, handled], [403, "not you", []]);
    });
  }

  it("is not called for requests that want no WebSocket", async (t) => {
    const { site, handled } = await guarded(t, () => ({ status: 403 }));
    assert.equal((await site.request("GET /page")).text, "plain");
    assert.deepEqual(handled, ["/page"]);
  });

  it("is called only when the handshake and the page's origin are right", async (t) => {
    let asked = 0;
    const { site, handled } = await guarded(t, () => void (asked += 1));
    for (const [bytes, status] of [
      [upgradeRequest().replace("Version: 13", "Version: 8"), 426],
      [upgradeRequest().replace("dGhl", "????"), 400],
      [upgradeRequest("/", ["Origin: http://evil.example"]), 403],
    ] as const) {
      const client = await site.connect();
      client.write(bytes);
      const response = await client.response();
      assert.equal(response.status, status);
      if (status === 426) assert.deepEqual(response.headers.get("sec-websocket-version"), ["13"]);
    }
    assert.deepEqual([asked, handled], [0, []]);
  });

  it("holds bytes that arrive meanwhile, up to the limit", async (t) => {
    const gate = deferred();
    // All answers may have to wait for this process to read them: a channel must not be closed as too slow for that.
    const { site } = await guarded(t, () => gate.promise, { maxBufferedBytes: 256 * 1_048_576 });
    const client = await site.connect();
    client.write(upgradeRequest());
    const long = "m".repeat(100_000);
    const sent = await client.clog((i) => void client.write(textFrame(`${i} ${long}`)));
    assert.equal(client.peek().length, 0);
    gate.resolve();
    assert.equal((await client.head()).status, 101);
    for (let i = 0; i < sent; i++) {
      const head = await client.take(10);
      assert.equal(head[1], 127, "a long message");
      const message = await client.take(head.readUInt32BE(6));
      assert.equal(message.toString(), `${i} ${long} undefined`);
    }
  });

  for (const [how, go] of [
    ["with a FIN", (client: { end(): void }) => client.end()],
    ["with a reset", (client: { reset(): void }) => client.reset()],
  ] as const) {
    it(`hears of a client that leaves meanwhile ${how}; the handler never sees it`, async (t) => {
      const started = deferred();
      const left = deferred();
      const { site, handled } = await guarded(t, async (r) => {
        started.resolve();
        await new Promise((resolve) => r.signal.addEventListener("abort", resolve));
        left.resolve();
      });
      const client = await site.connect();
      client.write(upgradeRequest());
      await started.promise;
      go(client);
      await left.promise;
      await until(() => site.server.stats().connections === 0, "nothing of it is left");
      assert.deepEqual(handled, []);
    });
  }

  for (const [what, check] of [
    [
      "throws",
      () => {
        throw new Error("secret");
      },
    ],
    ["rejects", () => Promise.reject(new Error("secret"))],
    ["returns false", (() => false) as unknown as UpgradeCheck],
    ["returns null", (() => null) as unknown as UpgradeCheck],
    ["returns a text", (() => "no") as unknown as UpgradeCheck],
    ["returns a status that is none", () => ({ status: 101 })],
    ["returns headers that cannot be sent", () => ({ headers: { "X-A": "a\r\nb" } })],
    ["opens a channel itself", (r) => void withChannel(r, () => {}, { sse: false })],
  ] satisfies [string, UpgradeCheck][]) {
    it(`opens nothing if it ${what}: 500 without a reason, and it is reported`, async (t) => {
      const { site } = await guarded(t, check as UpgradeCheck);
      const client = await site.connect();
      client.write(upgradeRequest());
      const response = await client.head();
      if (what === "opens a channel itself") {
        assert.equal(response.status, 101);
        assert.equal((await client.take(4)).toString("latin1"), "\x88\x02\x03\xf3", "close 1011");
      } else {
        assert.equal(response.status, 500);
        assert.equal((await client.takeRest()).toString(), "Internal Server Error\n");
      }
      const sources = site.takeReports().map(({ source }) => source);
      assert.deepEqual(sources, ["upgrade"]);
    });
  }

  it("may refuse by a ChannelError with a status", async (t) => {
    const { site } = await guarded(t, () => {
      throw new ChannelError("FORBIDDEN_ORIGIN");
    });
    const client = await site.connect();
    client.write(upgradeRequest());
    assert.equal((await client.response()).status, 403);
  });

  it("guards a Fetch handler's WebSockets too", async (t) => {
    const site = await serving(t, (r) => withChannel(r.toRequest(), (channel) => channel.send("in")), {
      upgrade: (r) => (r.query.has("token") ? undefined : { status: 401 }),
    });
    const client = await site.connect();
    client.write(upgradeRequest("/"));
    assert.equal((await client.response()).status, 401);
    assert.equal(await (await WsClient.open(t, site.target, { path: "/?token" })).message(), "in");
  });

  it("is followed by a 1001 if it is still running when the server stops", async (t) => {
    const gate = deferred();
    const { site } = await guarded(t, () => gate.promise);
    const client = await site.connect();
    client.write(upgradeRequest());
    await until(() => site.server.stats().requests === 1, "it is asked");
    const stopped = site.server.stop();
    await settled(() => client.peek().length);
    gate.resolve();
    assert.equal((await client.head()).status, 101);
    assert.equal((await client.take(4)).toString("latin1", 0, 1), "\x88");
    client.end();
    await stopped;
  });

  it("answers a pipelined handshake only after the requests before it", async (t) => {
    const { site } = await guarded(t, async () => ({ status: 403 }));
    const client = await site.connect();
    client.write(request("GET /a") + upgradeRequest());
    assert.equal((await client.response()).text, "plain");
    assert.equal((await client.response()).status, 403);
  });
});
