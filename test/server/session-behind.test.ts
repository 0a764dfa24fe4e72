// A session whose receiver is slower than its client: messages wait, acknowledgements and heartbeats do not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import type { EngineServer } from "../../src/server/engine-server.ts";
import { lacks } from "../support/runtime.ts";
import { ack, back, close, opened, poll, post, SocketClient, text } from "../support/session-client.ts";
import { sessionOfPoll, sessionOfSocket, sessionOfStream, sessionSite } from "../support/session-site.ts";
import { deferred, settled, until } from "../support/wait.ts";

const NOW = Date.now();
const HEARTBEAT_MS = 25_000;
const KIB = "x".repeat(1024);

/** More messages than the inbox of a channel holds for its receiver. */
const MANY = Array.from({ length: 200 }, (_, i) => text(`${i} ${KIB}`));

/** The server has read all that was sent before. */
async function heard(socket: SocketClient): Promise<void> {
  socket.ws.ping("heard");
  while ((await socket.ws.frame()).opcode !== OPCODE.PONG);
}

describe("a session whose receiver awaits drained() after each answer", () => {
  it("asks its client to acknowledge at once, once for each message that it waits for", async (t) => {
    const { site, socket } = await sessionOfSocket(t, { open: (channel) => void channel.send("hello") });
    assert.deepEqual(await socket.record(), text("hello"));
    const waits = [site.channel.drained(), site.channel.drained()];
    assert.deepEqual(await socket.record(), ack(0));
    site.channel.send("behind it");
    assert.deepEqual(await socket.record(), text("behind it"));
    socket.send(ack(2));
    await Promise.all(waits);
  });

  it("asks for it while a stream waits for its client, too", async (t) => {
    // Four parts fit into the 64 KiB that may be unsent, in bytes of memory: two for each of these characters.
    const part = "漢".repeat(10_000);
    const { socket } = await sessionOfSocket(t, { open: (channel) => void channel.send(Array(8).fill(part)) });
    for (let received = 0; received < 8; ) {
      const record = await socket.record();
      if (record.type === "message") received += 1;
      else socket.send(ack(received));
      assert.deepEqual(record, record.type === "message" ? text(part) : ack(0));
    }
  });

  it("reads the acknowledgement after 200 messages of a WebSocket", async (t) => {
    const { site, socket } = await sessionOfSocket(t, {
      async message(_, channel) {
        channel.send("answer");
        await channel.drained();
      },
    });
    socket.send(...MANY);
    for (let answers = 1; answers <= MANY.length; ) {
      const record = await socket.record();
      if (record.type !== "message") continue;
      socket.send(ack(answers));
      answers += 1;
    }
    assert.equal(site.received.length, MANY.length);
  });

  it("takes the acknowledgement of a POST while another POST of the same session waits for room", async (t) => {
    const { site, stream, session } = await sessionOfStream(t, {
      async message(_, channel) {
        channel.send("answer");
        await channel.drained();
      },
    });
    assert.equal((await post(t, site.endpoint, session, 1, ...MANY.slice(0, 100))).status, 200);
    const waiting = post(t, site.endpoint, session, 101, ...MANY.slice(100));
    for (let answers = 1; answers <= MANY.length; answers++) {
      assert.deepEqual(await stream.record(), text("answer"));
      // The same `from` as the POST that waits, and no numbered record: "ack-only".
      const answer = await post(t, site.endpoint, session, 101, ack(answers));
      assert.equal(answer.status, 200);
    }
    assert.deepEqual((await waiting).records, [ack(200)]);
    assert.equal(site.received.length, MANY.length);
  });

  it("takes the acknowledgement in the same POST that waits for room", async (t) => {
    const { site, session } = await sessionOfPoll(t, {
      async message(_, channel) {
        channel.send("answer");
        await channel.drained();
      },
    });
    await post(t, site.endpoint, session, 1, ...MANY.slice(0, 100));
    assert.equal(site.received.length, 1);
    void post(t, site.endpoint, session, 101, ack(1), text("last")).catch(() => {});
    await until(() => site.received.length === 2, "the second message is taken");
  });
});

describe("a session whose receiver is slow", () => {
  it("lives while its client sends 3 MiB and receives as much, and loses nothing", async (t) => {
    const gate = deferred();
    const { site, socket } = await sessionOfSocket(t, { message: () => gate.promise });
    // All of it fits into what the session holds for its receiver.
    const records = Array.from({ length: 900 }, () => text(KIB));
    socket.send(...records);
    for (let number = 1; number <= 48; number++) {
      assert.equal(site.channel.send("y".repeat(65_536)), true);
      for (;;) if ((await socket.record()).type === "message") break;
      socket.send(ack(number));
      await until(() => site.channel.bufferedAmount === 0, "its acknowledgement is read");
    }
    for (let ticks = 0; ticks < 9; ticks++) {
      site.tick(NOW + ticks * HEARTBEAT_MS);
      await heard(socket);
    }
    assert.equal(socket.ws.raw.isEnded, false);
    gate.resolve();
    await until(() => site.received.length === records.length, "all were taken");
    assert.equal(site.channel.isOpen, true);
  });

  it("acknowledges on a WebSocket the messages that its application has taken, and on resumption all that have arrived", async (t) => {
    const gate = deferred();
    const { site, socket, open } = await sessionOfSocket(t, { message: () => gate.promise });
    socket.send(...MANY);
    assert.deepEqual(await socket.record(), ack(1));
    await heard(socket);
    site.tick(NOW);
    site.tick(NOW + 1000);
    site.channel.send("next");
    assert.deepEqual(await socket.record(), text("next"), "there is no ack that tells nothing");
    const again = await SocketClient.open(t, site.endpoint, back(open, 1));
    assert.equal((await again.opened()).received, MANY.length);
    gate.resolve();
    await until(() => site.received.length === MANY.length, "all were taken, once");
  });

  it("acknowledges the rest as its application takes it, without waiting for the next tick", async (t) => {
    const gates = MANY.map(() => deferred());
    let next = 0;
    const { socket } = await sessionOfSocket(t, { message: () => gates[next++]!.promise });
    socket.send(...MANY.slice(0, 40));
    await heard(socket);
    for (const gate of gates) gate.resolve();
    let last = 0;
    while (last < 32) {
      const record = await socket.record();
      assert.ok(record.type === "ack" && record.received > last);
      last = record.received;
    }
  });

  it("is read until it holds 1 MiB; then its client waits until there is room", async (t) => {
    const gate = deferred();
    const { site, socket, open } = await sessionOfSocket(t, { message: () => gate.promise });
    const sent = await socket.ws.raw.clog((i) => socket.send(text(`${i} ${"x".repeat(60_000)}`)));
    assert.ok(sent > 20, "more than 1 MiB was taken");
    gate.resolve();
    await until(() => site.received.length === sent, "all were taken");
    socket.drop();
    assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).received, sent);
  });

  it("drops a carrier whose acknowledgement follows unread messages only after a longer time, and resumes", {
    skip: lacks("clients that notice their end while their writes wait"),
  }, async (t) => {
    const { site, socket, open } = await sessionOfSocket(t, {
      async message(_, channel) {
        channel.send("answer");
        await channel.drained();
      },
    });
    await socket.ws.raw.clog((i) => socket.send(text(`${i} ${"x".repeat(60_000)}`)));
    await settled(() => site.site.server.stats().bytesReceived, 50);
    site.tick(NOW);
    site.tick(NOW + 8 * HEARTBEAT_MS - 1);
    await settled(() => socket.ws.raw.isEnded);
    assert.equal(socket.ws.raw.isEnded, false);
    // Bytes that a slow machine reads only now are a sign of life: the time begins again.
    const isConnected = (): boolean => site.site.server.stats().connections > 0;
    for (let now = NOW + 8 * HEARTBEAT_MS; isConnected() && now < NOW + 8000 * HEARTBEAT_MS; now += 8 * HEARTBEAT_MS) {
      site.tick(now);
      // No more time passes once it is dropped: its session would end, too.
      await settled(isConnected);
    }
    await socket.ws.raw.until(() => socket.ws.raw.isEnded, "the end of the connection");
    const before = site.received.length;
    const again = await SocketClient.open(t, site.endpoint, back(open, before));
    assert.equal((await again.opened()).resumed, true);
    await until(() => site.received.length > before, "the receiver goes on");
  });

  it("delivers the held messages before the client's close", async (t) => {
    const gate = deferred();
    const { site, socket } = await sessionOfSocket(t, { message: () => gate.promise });
    socket.send(...MANY, close(1000));
    for (;;) {
      const record = await socket.record();
      if (record.type === "ack" && record.received === MANY.length + 1) break;
    }
    assert.equal((await socket.closed()).code, 1000);
    gate.resolve();
    await site.called("close client 1000 normal");
    assert.equal(site.received.length, MANY.length);
    assert.equal(site.calls.length, MANY.length + 2);
  });
});

describe("the messages that sessions hold for slow receivers", () => {
  it("are bounded by maxTotalReceivedBytes for all together: the session that holds most waits", async (t) => {
    const gate = deferred();
    const site = await sessionSite(t, { message: () => gate.promise }, {}, { maxTotalReceivedBytes: 2 * 1024 * 1024 });
    const { received: buffered } = (site.site.server as EngineServer).exchanges;
    let sent = 0;
    for (let i = 0; i < 5; i++) {
      const socket = await SocketClient.open(t, site.endpoint);
      await socket.opened();
      sent += await socket.ws.raw.clog((n) => socket.send(text(`${n} ${"x".repeat(60_000)}`)));
      // One alone may hold 1 MiB. Each is looked at after a message that it has, and has up to 128 KiB in its inbox.
      assert.ok(buffered.bytes < (3 * 1024 + 128 * i) * 1024, `${buffered.bytes} of ${i + 1}`);
    }
    gate.resolve();
    await until(() => site.received.length === sent, "all were taken");
  });

  it("count until they are taken, and not afterwards", async (t) => {
    const gate = deferred();
    const { site, socket } = await sessionOfSocket(t, { message: () => gate.promise });
    socket.send(...MANY);
    await heard(socket);
    const { received: buffered } = (site.site.server as EngineServer).exchanges;
    assert.ok(buffered.bytes > 100 * 1024, `${buffered.bytes}`);
    gate.resolve();
    await until(() => site.received.length === MANY.length, "all were taken");
    assert.equal(buffered.bytes, 0);
    socket.send(text("a"), text("b"));
    site.channel.terminate();
    assert.equal(buffered.bytes, 0);
  });
});

describe("a session whose application closes it while its receiver is busy", () => {
  it("acknowledges the messages that the receiver got, and no others", async (t) => {
    const gate = deferred();
    const { site, socket } = await sessionOfSocket(t, { message: () => gate.promise });
    const sent = Array.from({ length: 50 }, (_, i) => text(`m${i}`));
    socket.send(...sent);
    await until(() => site.received.length === 1, "the first one is being handled");
    site.channel.close(4000);
    gate.resolve();
    for (;;) {
      const record = await socket.record();
      if (record === undefined) break;
      if (record.type === "ack") assert.ok(record.received <= 1, `${record.received} are acknowledged`);
      if (record.type === "close") break;
    }
    assert.equal(site.received.length, 1);
  });
});
