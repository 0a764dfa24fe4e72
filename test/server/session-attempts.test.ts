// Requests that arrive late: the attempt number, `try`, tells them from the newest one (PROTOCOL.md, "Resuming a session").

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SESSION_PROTOCOL } from "../../src/codec/session-record.ts";
import { ack, ask, back, opened, poll, post, SocketClient, StreamClient, text } from "../support/session-client.ts";
import { sessionOfPoll, sessionOfStream, sessionSite } from "../support/session-site.ts";
import { until } from "../support/wait.ts";
import { upgradeRequest } from "../support/ws-client.ts";

describe("a request with a lower try than the one that resumed the session", () => {
  it("is refused with 409 on every carrier, and the current carrier continues", async (t) => {
    const site = await sessionSite(t);
    const open = opened(await poll(t, site.endpoint, { try: 1 }));
    const socket = await SocketClient.open(t, site.endpoint, { ...back(open, 0), try: 5 });
    await socket.opened();
    const late = { ...back(open, 0), try: 4 };
    assert.equal((await poll(t, site.endpoint, late)).status, 409);
    assert.equal((await poll(t, site.endpoint, { ...late, park: 0 })).status, 409);
    assert.equal((await ask(t, site.endpoint, { query: late, fields: ["Accept: text/event-stream"] })).status, 409);
    const raw = await site.site.connect();
    const target = `/session?session=${open.session}&after=0&try=4`;
    raw.write(upgradeRequest(target, [`Sec-WebSocket-Protocol: ${SESSION_PROTOCOL}`]));
    assert.equal((await raw.response()).status, 409);
    site.channel.send("still here");
    assert.deepEqual(await socket.record(), text("still here"));
    assert.deepEqual(site.calls, ["open", "resumed", "transport websocket"]);
    assert.equal(site.channels.length, 1);
  });

  it("does not refuse a request without a try, or with the same one: a proxy may repeat a GET", async (t) => {
    const site = await sessionSite(t);
    const open = opened(await poll(t, site.endpoint, { try: 3 }));
    assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0, try: 3 })).resumed, true);
    assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).resumed, true);
    assert.equal((await poll(t, site.endpoint, { ...back(open, 0), park: 0, try: 2 })).status, 409);
  });

  it("is not told that it was replaced when the same request comes again: the client may get either answer", async (t) => {
    const { site, open } = await sessionOfPoll(t);
    const parked = poll(t, site.endpoint, { ...back(open, 0), try: 2 });
    await until(() => site.site.server.stats().requests === 2, "it is parked");
    const again = poll(t, site.endpoint, { ...back(open, 0), try: 2 });
    assert.equal(opened(await parked).resumed, true);
    assert.equal((await parked).records.length, 1);
    const socket = await SocketClient.open(t, site.endpoint, { ...back(open, 0), try: 3 });
    await socket.opened();
    assert.equal((await again).status, 409);
    const repeated = await SocketClient.open(t, site.endpoint, { ...back(open, 0), try: 3 });
    await repeated.opened();
    assert.equal((await socket.closed()).code, 1000);
    site.channel.send("still here");
    assert.deepEqual(await repeated.record(), text("still here"));
    assert.equal(site.channels.length, 1);
  });

  it("is refused with 400 if the try is not a number", async (t) => {
    const site = await sessionSite(t);
    for (const attempt of ["-1", "01", "x", "", "9007199254740992"]) {
      assert.equal((await poll(t, site.endpoint, { try: attempt })).status, 400);
    }
    assert.equal(site.channels.length, 0);
  });

  it("is given a new session if its token is unknown", async (t) => {
    const site = await sessionSite(t);
    opened(await poll(t, site.endpoint, { try: 9 }));
    const other = await poll(t, site.endpoint, { session: "AAAAAAAAAAAAAAAAAAAAAA", try: 1 });
    assert.equal(opened(other).resumed, false);
  });
});

describe("a parked poll", () => {
  it("is answered with 409, without an open, when another carrier takes over", async (t) => {
    const { site, open } = await sessionOfPoll(t);
    const parked = poll(t, site.endpoint, back(open, 0));
    await until(() => site.site.server.stats().requests === 2, "it is parked");
    const socket = await SocketClient.open(t, site.endpoint, back(open, 0));
    await socket.opened();
    const answer = await parked;
    assert.equal(answer.status, 409);
    assert.deepEqual(answer.response.headers.get("cache-control"), ["no-store"]);
    assert.doesNotMatch(answer.response.body.toString(), /event/);
  });

  it("is answered with 410 when its session ends", async (t) => {
    const { site, open } = await sessionOfPoll(t);
    const parked = poll(t, site.endpoint, back(open, 0));
    await until(() => site.site.server.stats().requests === 2, "it is parked");
    site.channel.terminate();
    assert.equal((await parked).status, 410);
    assert.equal(opened(await poll(t, site.endpoint, back(open, 0))).resumed, false);
  });
});

describe("a session that is sent too much by its open handler", () => {
  it("tells the client of a poll: open, and close with 4408", async (t) => {
    const site = await sessionSite(t, {
      open(channel) {
        for (let i = 0; i < 40; i++) channel.send("x".repeat(65_536));
      },
    });
    const { status, records } = await poll(t, site.endpoint);
    assert.equal(status, 200);
    assert.equal(records[0]?.type, "open");
    assert.deepEqual(records.slice(1), [{ type: "close", code: 4408, reason: "overflow" }]);
    await site.called("close server 4408 application");
    assert.equal(site.site.takeReports().length, 1);
    const { session } = opened({ status, records, response: undefined as never });
    assert.equal((await post(t, site.endpoint, session, 1, ack(1))).status, 410);
  });
});

describe("a poll over a slow network", () => {
  it("finds its session although the round trip takes 15 s", async (t) => {
    const { site, open } = await sessionOfPoll(t);
    await until(() => site.site.server.stats().connections === 0, "it is answered");
    const now = Date.now();
    site.tick(now);
    site.tick(now + 15_000);
    assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).resumed, true);
  });
});

describe("a stream whose client acknowledges nothing", () => {
  const NOW = Date.now();
  const HEARTBEAT_MS = 25_000;

  it("gets twice the time for each repetition of a record", async (t) => {
    const site = await sessionSite(t);
    let stream = await StreamClient.open(t, site.endpoint);
    const open = await stream.opened();
    site.channel.send("a");
    let now = NOW;
    for (const heartbeats of [2, 4, 8]) {
      site.tick(now);
      site.tick(now + heartbeats * HEARTBEAT_MS - 1);
      assert.deepEqual(await stream.record(), text("a"));
      assert.equal(stream.raw.isEnded, false);
      now += heartbeats * HEARTBEAT_MS;
      site.tick(now);
      await until(() => stream.raw.isEnded, "it is dropped");
      stream = await StreamClient.open(t, site.endpoint, back(open, 0));
      assert.equal((await stream.opened()).resumed, true);
    }
  });

  it("lives while its client posts, whatever the POST contains", async (t) => {
    const { site, stream, session } = await sessionOfStream(t);
    site.channel.send("a");
    for (let ticks = 0; ticks < 6; ticks++) {
      site.tick(NOW + ticks * HEARTBEAT_MS);
      assert.equal((await post(t, site.endpoint, session, 1, ack(0))).status, 200);
    }
    assert.equal(stream.raw.isEnded, false);
  });
});
