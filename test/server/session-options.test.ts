// The options that openSession refuses, and that a refused session leaves nothing behind.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChannelError, openSession, type ServeOptions, type SessionOptions } from "../../src/index.ts";
import { SESSION_OPTIONS } from "../../src/session/options.ts";
import { ask, opened, poll, post, SocketClient, text } from "../support/session-client.ts";
import { sessionOfPoll, sessionSite } from "../support/session-site.ts";
import { upgradeRequest } from "../support/ws-client.ts";

const { NaN: NOT_A_NUMBER, POSITIVE_INFINITY: INFINITE } = Number;

const REFUSED: Record<string, readonly unknown[]> = {
  resumeMs: [NOT_A_NUMBER, INFINITE, -1, 0.5, 2 ** 53, "60000", null],
  heartbeatMs: [NOT_A_NUMBER, INFINITE, -1, 0, 1.5, 2 ** 31, "25000", null],
  parkMs: [NOT_A_NUMBER, -1, 0, 1.5, "25000", null],
  maxBufferedBytes: [NOT_A_NUMBER, -1, "1", null],
  maxMessageBytes: [NOT_A_NUMBER, -1, "1", null],
  onOverflow: ["block", null],
  identity: [42, null, {}],
  heartbeatMS: [1000],
  onMessage: [() => {}],
};

const TAKEN: readonly SessionOptions[] = [
  { resumeMs: 0 },
  { resumeMs: Number.MAX_SAFE_INTEGER },
  { heartbeatMs: 1 },
  { heartbeatMs: 2 ** 31 - 1 },
  { parkMs: INFINITE },
  { maxBufferedBytes: INFINITE, maxMessageBytes: INFINITE },
  { identity: "" },
];

describe("the options of openSession", () => {
  for (const [name, values] of Object.entries(REFUSED)) {
    it(`are BAD_OPTION for a wrong ${name}: 500 on every request, and no session`, async (t) => {
      for (const value of values) {
        const site = await sessionSite(t, {}, { [name]: value } as SessionOptions);
        for (const answer of [
          await poll(t, site.endpoint),
          await ask(t, site.endpoint, { fields: ["Accept: text/event-stream"] }),
          await post(t, site.endpoint, "x", 1, text("a")),
        ]) {
          assert.equal(answer.status, 500, `${name}: ${String(value)}`);
        }
        assert.deepEqual(site.calls, []);
        for (const { error } of site.site.takeReports()) {
          assert.ok(error instanceof ChannelError && error.code === "BAD_OPTION");
          assert.match(error.message, new RegExp(name));
        }
      }
    });
  }

  it("are refused with a suggestion if a name is wrong", async (t) => {
    const site = await sessionSite(t, {}, { heartbeatMS: 1000 } as SessionOptions);
    await poll(t, site.endpoint);
    assert.match(site.site.takeMessages()[0]!, /no option "heartbeatMS"; did you mean "heartbeatMs"\?/);
  });

  it("work with the smallest and largest allowed values", async (t) => {
    for (const options of TAKEN) {
      const { open } = await sessionOfPoll(t, {}, options);
      assert.ok(Number.isSafeInteger(open.resumeMs) && Number.isSafeInteger(open.heartbeatMs));
    }
  });

  it("have all their names in the list", () => {
    // The type of the table refuses a name that is no option.
    const all: Required<{ [Name in keyof SessionOptions]: true }> = {
      identity: true,
      expiresAt: true,
      resumeMs: true,
      heartbeatMs: true,
      parkMs: true,
      headers: true,
      maxBufferedBytes: true,
      onOverflow: true,
      maxMessageBytes: true,
      maxRequests: true,
      maxMessagesPerSecond: true,
      maxBytesPerSecond: true,
      rateBurstMs: true,
      onRateExceeded: true,
      compress: true,
      codec: true,
      attachment: true,
    };
    assert.deepEqual(Object.keys(SESSION_OPTIONS).sort(), Object.keys(all).sort());
  });
});

describe("headers that HTTP forbids", () => {
  for (const value of ["a\r\nSet-Cookie: a=b", "Ж", "a\0b"]) {
    it(`(${JSON.stringify(value)}) are 500 on every request, and no session is left`, async (t) => {
      const limits: ServeOptions = { maxSessions: 1 };
      let isBad = true;
      const site = await sessionSite(t, {}, () => (isBad ? { headers: { "X-Name": value } } : {}), limits);
      for (let i = 0; i < 3; i++) {
        assert.equal((await poll(t, site.endpoint)).status, 500);
        assert.equal((await ask(t, site.endpoint, { fields: ["Accept: text/event-stream"] })).status, 500);
        assert.equal((await post(t, site.endpoint, "x", 1, text("a"))).status, 500);
        assert.equal((await ask(t, site.endpoint, { method: "OPTIONS" })).status, 500);
        const raw = await site.site.connect();
        raw.write(upgradeRequest("/session", ["Sec-WebSocket-Protocol: unichannel.v1"]));
        assert.equal((await raw.response()).status, 500);
      }
      for (const { error } of site.site.takeReports()) {
        assert.ok(error instanceof ChannelError && error.code === "BAD_HEADER");
      }
      assert.deepEqual(site.site.server.stats().channels, { websocket: 0, sse: 0, stream: 0, poll: 0 });
      isBad = false;
      const { session } = opened(await poll(t, site.endpoint));
      isBad = true;
      // The same for a session that exists.
      assert.equal((await post(t, site.endpoint, session, 1, text("a"))).status, 500);
      assert.equal((await poll(t, site.endpoint, { session, park: 0 })).status, 500);
      isBad = false;
      assert.equal(opened(await poll(t, site.endpoint, { session, park: 0 })).received, 0);
      site.site.takeReports();
      await site.site.server.stop({ graceMs: 1000 });
    });
  }
});

describe("a session that cannot begin", () => {
  it("leaves nothing behind after a wrong compression option or a malformed handshake", async (t) => {
    let compress: unknown = { level: 99 };
    const site = await sessionSite(t, {}, () => ({ compress }) as SessionOptions, { maxSessions: 1 });
    assert.equal((await poll(t, site.endpoint)).status, 500);
    compress = false;
    const raw = await site.site.connect();
    raw.write(upgradeRequest("/session", []));
    assert.equal((await raw.response()).status, 400);
    site.site.takeReports();
    const socket = await SocketClient.open(t, site.endpoint);
    assert.equal((await socket.opened()).resumed, false);
    assert.equal(typeof openSession, "function");
  });
});
