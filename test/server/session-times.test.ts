// The timeouts and heartbeats of a session. The server's ticks are given times of the test's own choosing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionRecord } from "../../src/codec/session-record.ts";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { request } from "../support/serving.ts";
import { ack, back, close, opened, poll, post, SocketClient, StreamClient, text } from "../support/session-client.ts";
import {
  type SessionSite,
  sessionOfPoll,
  sessionOfSocket,
  sessionOfStream,
  sessionSite,
} from "../support/session-site.ts";
import { settled, until } from "../support/wait.ts";

const NOW = Date.now();
const HEARTBEAT_MS = 25_000;
const RESUME_MS = 60_000;

/** Lets time pass: a tick when it begins, and one when it is over. */
function pass(site: SessionSite, ms: number): void {
  site.tick(NOW);
  site.tick(NOW + ms);
}

/** The server has read this record. */
async function alive(socket: SocketClient, record: SessionRecord): Promise<void> {
  socket.send(record);
  socket.ws.ping("x");
  while ((await socket.ws.frame()).opcode !== OPCODE.PONG);
}

describe("a session without a carrier", () => {
  it(`ends after resumeMs, ${RESUME_MS}: by the network`, async (t) => {
    const { site, socket, open } = await sessionOfSocket(t);
    assert.equal(open.resumeMs, RESUME_MS);
    await alive(socket, ack(0));
    socket.drop();
    await site.noConnections();
    pass(site, RESUME_MS - 1);
    assert.deepEqual(site.calls, ["open"]);
    site.tick(NOW + RESUME_MS);
    await site.called("close network 1006 abnormal");
    assert.equal(opened(await poll(t, site.endpoint, back(open, 0))).resumed, false);
  });

  it("ends after 5 s if its client never showed that it has the token", async (t) => {
    const { site, stream } = await sessionOfStream(t);
    stream.drop();
    await site.noConnections();
    pass(site, 4999);
    assert.deepEqual(site.calls, ["open"]);
    site.tick(NOW + 5000);
    await site.called("close network 1006 abnormal");
  });

  it("counts from the last request of the client: a POST, or a poll", async (t) => {
    const { site, open } = await sessionOfPoll(t);
    await site.noConnections();
    pass(site, 4000);
    await post(t, site.endpoint, open.session, 1, text("a"));
    site.tick(NOW + 10_000);
    site.tick(NOW + 60_000);
    await poll(t, site.endpoint, { ...back(open, 0), park: 0 });
    site.tick(NOW + 69_999);
    site.tick(NOW + 129_998);
    assert.deepEqual(site.calls, ["open", "receive a", "resumed"]);
    site.tick(NOW + 129_999);
    await site.called("close network 1006 abnormal");
  });

  it("does not end while a POST of its client is arriving, however long that takes", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    await site.noConnections();
    const client = await site.site.connect();
    const body = "data: hello\n\n";
    const head = `POST /session?session=${session}&from=1\r\nContent-Length: ${body.length}`;
    client.write(request(head));
    client.write(body.slice(0, 5));
    await until(() => site.site.server.stats().requests === 2, "the POST has begun");
    pass(site, RESUME_MS);
    site.tick(NOW + 2 * RESUME_MS);
    assert.deepEqual(site.calls, ["open"]);
    client.write(body.slice(5));
    await site.called("receive hello");
    client.destroy();
    await site.noConnections();
    site.tick(NOW + 3 * RESUME_MS);
    site.tick(NOW + 4 * RESUME_MS);
    await site.called("close network 1006 abnormal");
  });

  it("has the times of its options", async (t) => {
    const { site, open } = await sessionOfPoll(t, {}, { resumeMs: 1000, heartbeatMs: 2000 });
    assert.deepEqual([open.resumeMs, open.heartbeatMs], [1000, 2000]);
    await site.noConnections();
    pass(site, 1000);
    await site.called("close network 1006 abnormal");
  });

  it("announces no heartbeatMs below 1 s, since the server ticks once a second", async (t) => {
    for (const heartbeatMs of [1, 999, 1000]) {
      const site = await sessionSite(t, {}, { heartbeatMs });
      assert.equal(opened(await poll(t, site.endpoint)).heartbeatMs, 1000);
    }
  });

  it("ends with the application's close if the client does not come back for it", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    await alive(socket, ack(0));
    socket.drop();
    await site.noConnections();
    site.channel.close(4000);
    pass(site, RESUME_MS - 1);
    assert.deepEqual(site.calls, ["open"]);
    site.tick(NOW + RESUME_MS);
    await site.called("close server 4000 application");
  });
});

describe("a session, when the date of the server is set to another hour,", () => {
  for (const hours of [-12, -1, 1, 12]) {
    it(`waits for its client as before: ${hours} hours forward`, async (t) => {
      const site = await sessionSite(t, {}, { parkMs: 1 });
      const away = opened(await poll(t, site.endpoint));
      const here = opened(await poll(t, site.endpoint));
      // A parked poll is answered with a tick of the server: the times of both sessions were looked at.
      for (let ticks = 0; ticks < 2; ticks++) await poll(t, site.endpoint, back(here, 0));
      const { now } = Date;
      t.after(() => {
        Date.now = now;
      });
      Date.now = () => now() + hours * 3_600_000;
      for (let ticks = 0; ticks < 2; ticks++) {
        assert.equal(opened(await poll(t, site.endpoint, back(here, 0))).resumed, true);
      }
      assert.equal(opened(await poll(t, site.endpoint, { ...back(away, 0), park: 0 })).resumed, true);
    });
  }
});

describe("a poll", () => {
  it(`is parked for parkMs, 25 s, then answered with open alone`, async (t) => {
    const { site, open } = await sessionOfPoll(t);
    let isAnswered = false;
    const parked = poll(t, site.endpoint, back(open, 0)).finally(() => {
      isAnswered = true;
    });
    await until(() => site.site.server.stats().connections === 1 && site.site.server.stats().requests === 2, "parked");
    pass(site, 24_999);
    await settled(() => isAnswered);
    assert.equal(isAnswered, false);
    site.tick(NOW + 25_000);
    const answer = await parked;
    assert.equal(opened(answer).resumed, true);
    assert.equal(answer.records.length, 1);
  });

  it("is never parked for longer than heartbeatMs, even if its client posts meanwhile", async (t) => {
    const { site, open } = await sessionOfPoll(t, {}, { heartbeatMs: 10_000 });
    const parked = poll(t, site.endpoint, back(open, 0));
    await until(() => site.site.server.stats().requests === 2, "parked");
    pass(site, 9000);
    await post(t, site.endpoint, open.session, 1, text("a"));
    site.tick(NOW + 10_000);
    assert.equal((await parked).records.length, 1);
  });

  it("ends with its client, and the session stays", async (t) => {
    const { site, open } = await sessionOfPoll(t);
    const parked = await SocketClient.open(t, site.endpoint, back(open, 0));
    await parked.opened();
    parked.drop();
    await site.noConnections();
    site.channel.send("x");
    assert.deepEqual((await poll(t, site.endpoint, back(open, 0))).records.slice(1), [text("x")]);
  });
});

describe("a session's WebSocket", () => {
  it("gets an h after heartbeatMs without output", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    pass(site, HEARTBEAT_MS - 1);
    site.channel.send("x");
    assert.equal(await socket.ws.message(), "mx");
    await alive(socket, ack(1));
    // Something was sent since the last tick: it is from this one on that there is silence.
    site.tick(NOW + HEARTBEAT_MS);
    site.tick(NOW + 2 * HEARTBEAT_MS - 1);
    site.channel.send("y");
    assert.equal(await socket.ws.message(), "my");
    await alive(socket, ack(2));
    site.tick(NOW + 2 * HEARTBEAT_MS);
    site.tick(NOW + 3 * HEARTBEAT_MS);
    assert.equal(await socket.ws.message(), "h");
  });

  it("is pinged after heartbeatMs of silence, and dropped after as much again; the session lives on", async (t) => {
    const { site, socket, open } = await sessionOfSocket(t);
    pass(site, HEARTBEAT_MS);
    assert.equal(await socket.ws.message(), "h");
    const ping = await socket.ws.frame();
    assert.equal(ping.opcode, OPCODE.PING);
    site.tick(NOW + 2 * HEARTBEAT_MS);
    await until(() => socket.ws.raw.isEnded, "it is dropped");
    assert.deepEqual(site.calls, ["open"]);
    assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).resumed, true);
  });

  it("lives while the client sends h", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    for (let ticks = 0; ticks < 5; ticks++) {
      site.tick(NOW + ticks * HEARTBEAT_MS);
      await alive(socket, { type: "heartbeat" });
    }
    assert.equal(socket.ws.raw.isEnded, false);
  });

  it("gets an ack with the next tick, and at once after 16 messages", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    for (let i = 0; i < 16; i++) socket.send(text("x"));
    assert.deepEqual(await socket.record(), ack(16));
    socket.send(text("y"));
    await site.called("receive y");
    site.tick(NOW);
    assert.deepEqual(await socket.record(), ack(17));
  });
});

describe("a session's event stream", () => {
  it("gets a comment after heartbeatMs without output", async (t) => {
    const { site, stream } = await sessionOfStream(t);
    pass(site, HEARTBEAT_MS);
    assert.equal((await stream.raw.chunk())?.toString(), ": \n\n");
  });

  it("is dropped when its client acknowledges nothing for two heartbeats; the session lives on", async (t) => {
    const { site, stream, open } = await sessionOfStream(t);
    site.channel.send("a");
    pass(site, 2 * HEARTBEAT_MS - 1);
    assert.deepEqual(await stream.record(), text("a"));
    site.tick(NOW + 2 * HEARTBEAT_MS);
    await until(() => stream.raw.isEnded, "it is dropped");
    assert.deepEqual(site.calls, ["open"]);
    const again = await StreamClient.open(t, site.endpoint, back(open, 0));
    assert.equal((await again.opened()).resumed, true);
    assert.deepEqual(await again.record(), text("a"));
    // A new carrier has its own two heartbeats.
    site.tick(NOW + 3 * HEARTBEAT_MS);
    site.tick(NOW + 4 * HEARTBEAT_MS);
    assert.equal(again.raw.isEnded, false);
  });

  it("lives while its client acknowledges, however slowly", async (t) => {
    const { site, stream, session } = await sessionOfStream(t);
    for (let number = 1; number <= 4; number++) {
      site.channel.send("a");
      site.channel.send("b");
      site.tick(NOW + number * HEARTBEAT_MS);
      await post(t, site.endpoint, session, 1, ack(number));
    }
    assert.equal(stream.raw.isEnded, false);
  });
});

describe("a server that stops", () => {
  it("closes its sessions with 1012 and a random retryMs", async (t) => {
    const site = await sessionSite(t);
    const sockets = await Promise.all([1, 2, 3].map(() => SocketClient.open(t, site.endpoint)));
    for (const socket of sockets) await socket.opened();
    for (const channel of site.channels) channel.send("last");
    const stopped = site.site.server.stop({ graceMs: 60_000 });
    const retries = [];
    for (const socket of sockets) {
      assert.deepEqual(await socket.record(), text("last"));
      const record = await socket.record();
      assert.ok(record.type === "close" && record.code === 1012 && record.retryMs !== undefined);
      assert.ok(record.retryMs >= 0 && record.retryMs <= 5000);
      retries.push(record.retryMs);
      socket.send(ack(2));
      await socket.closed();
      socket.ws.close(1000);
    }
    await stopped;
    assert.ok(new Set(retries).size > 1);
    assert.equal(site.calls.filter((call) => call === "close server 1012 service-restart").length, 3);
  });

  it("ends streams and parked polls after the close, without waiting for an acknowledgement", async (t) => {
    const { site, stream } = await sessionOfStream(t);
    const open = opened(await poll(t, site.endpoint));
    const parked = poll(t, site.endpoint, back(open, 0));
    await until(() => site.site.server.stats().requests === 3, "parked");
    const stopped = site.site.server.stop({ graceMs: 60_000 });
    const record = await stream.record();
    assert.ok(record?.type === "close" && record.code === 1012);
    assert.equal(await stream.record(), undefined);
    const last = (await parked).records.at(-1);
    assert.ok(last?.type === "close" && last.code === 1012);
    stream.drop();
    await stopped;
    assert.equal(site.calls.filter((call) => call === "close server 1012 service-restart").length, 2);
  });

  it("ends sessions whose client is away at once", async (t) => {
    const site = await sessionSite(t);
    opened(await poll(t, site.endpoint));
    await site.noConnections();
    await site.site.server.stop({ graceMs: 60_000 });
    assert.deepEqual(site.calls, ["open", "close server 1012 service-restart"]);
  });

  it("ends the remaining sessions after graceMs", async (t) => {
    const { site } = await sessionOfSocket(t);
    await site.site.server.stop({ graceMs: 10 });
    assert.equal(site.calls.length, 2);
    assert.match(site.calls[1]!, /^close server/);
  });
});

describe("close(1012) of a session", () => {
  it("asks its client to come back, as a stopping server does", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    site.channel.close(1012, "moving");
    const record = await socket.record();
    assert.ok(record.type === "close" && record.retryMs !== undefined);
    assert.deepEqual({ ...record, retryMs: undefined }, { ...close(1012, "moving"), retryMs: undefined });
  });
});
