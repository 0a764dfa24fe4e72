// The channel of a session, as the application uses it: the same on every carrier.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Channel,
  type ChannelRequest,
  event,
  json,
  MemoryChannelStore,
  openSession,
  prepare,
} from "../../src/index.ts";
import { lacks } from "../support/runtime.ts";
import { serving } from "../support/serving.ts";
import {
  ack,
  ask,
  back,
  close,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
  text,
} from "../support/session-client.ts";
import { sessionOfPoll, sessionOfSocket, sessionOfStream, sessionSite } from "../support/session-site.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";

describe("a session's channel", () => {
  it("is opened once, and is the same on every carrier and for every POST", async (t) => {
    const returned: Channel[] = [];
    const site = await serving(t, (request) => {
      const channel = openSession(request, {});
      returned.push(channel);
      return channel;
    });
    const endpoint = { ...site.target, pathname: "/" };
    const open = opened(await poll(t, endpoint));
    await post(t, endpoint, open.session, 1, text("a"));
    const socket = await SocketClient.open(t, endpoint, back(open, 0));
    await socket.opened();
    assert.equal(returned.length, 3);
    assert.equal(new Set(returned).size, 1);
  });

  it("has the kind of its carrier, and keeps it while there is none", async (t) => {
    const { site, socket, open } = await sessionOfSocket(t);
    const { channel } = site;
    assert.deepEqual([channel.transport, channel.isWebSocket, channel.isOpen], ["websocket", true, true]);
    socket.drop();
    const stream = await StreamClient.open(t, site.endpoint, back(open, 0));
    await stream.opened();
    assert.deepEqual([channel.transport, channel.isWebSocket, channel.isOpen], ["sse", false, true]);
    await poll(t, site.endpoint, { ...back(open, 0), park: 0 });
    assert.deepEqual([channel.transport, channel.isWebSocket, channel.isOpen], ["poll", false, true]);
    assert.deepEqual(site.site.server.stats().channels, { websocket: 0, sse: 0, stream: 0, poll: 1 });
  });

  it("reports that its client is back, and that its carrier is of another kind", async (t) => {
    const { site, open } = await sessionOfSocket(t);
    const again = await SocketClient.open(t, site.endpoint, back(open, 0));
    await again.opened();
    assert.deepEqual(site.calls, ["open", "resumed"]);
    await poll(t, site.endpoint, { ...back(open, 0), park: 0 });
    assert.deepEqual(site.calls.splice(0), ["open", "resumed", "resumed", "transport poll"]);
    site.channel.send("x");
    await poll(t, site.endpoint, back(open, 0));
    assert.deepEqual(site.calls, [], "one poll after the other is no coming back");
  });

  it("sends while it has no carrier, and everything arrives on the next one", async (t) => {
    const { site, stream, open } = await sessionOfStream(t);
    stream.drop();
    await until(() => site.site.server.stats().connections === 0, "the stream is gone");
    for (const data of ["a", "b", "c"]) assert.equal(site.channel.send(data), true);
    const socket = await SocketClient.open(t, site.endpoint, back(open, 0));
    await socket.opened();
    for (const data of ["a", "b", "c"]) assert.deepEqual(await socket.record(), text(data));
  });

  it("sends the messages of its setup after `open`, also on a poll", async (t) => {
    const site = await sessionSite(t, { open: (channel) => channel.send("welcome") });
    const answer = await poll(t, site.endpoint);
    assert.equal(opened(answer).resumed, false);
    assert.deepEqual(answer.records.slice(1), [text("welcome")]);
  });

  it("sends the messages of one turn as one answer of a poll", async (t) => {
    const { site, session } = await sessionOfPoll(t, {
      message(_, channel) {
        channel.send("a");
        channel.send("b");
        queueMicrotask(() => channel.send("c"));
      },
    });
    const parked = poll(t, site.endpoint, { session });
    await post(t, site.endpoint, session, 1, text("go"));
    assert.deepEqual((await parked).records.slice(1), [text("a"), text("b"), text("c")]);
  });

  it("sends JSON, events, Blobs and bytes, a stream part by part, and nothing for null", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    const { channel } = site;
    channel.send(json({ a: 1 }));
    channel.send(event({ data: "d", id: "1" }));
    channel.send({ status: 201, headers: { "X-A": "b" }, body: "body" });
    channel.send(null);
    channel.send(new Blob(["bl", "ob"]));
    channel.send(["x", Uint8Array.of(1), "y"]);
    channel.send("after");
    const bytes = (...values: number[]) => ({ type: "message", data: Uint8Array.from(values) });
    for (const record of [text('{"a":1}'), text("d"), text("body"), bytes(98, 108, 111, 98)]) {
      assert.deepEqual(await socket.record(), record);
    }
    for (const record of [text("x"), bytes(1), text("y"), text("after")]) {
      assert.deepEqual(await socket.record(), record);
    }
  });

  it("carries the bytes of a stream unchanged on an event stream", async (t) => {
    const { site, stream } = await sessionOfStream(t);
    site.channel.send([Uint8Array.of(0xc3), Uint8Array.of(0xa9, 0xff)]);
    assert.deepEqual(await stream.record(), { type: "message", data: Uint8Array.of(0xc3) });
    assert.deepEqual(await stream.record(), { type: "message", data: Uint8Array.of(0xa9, 0xff) });
  });

  it("is drained when the client has acknowledged, not when the system has taken the bytes", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    site.channel.send("x".repeat(1000));
    assert.deepEqual(await socket.record(), text("x".repeat(1000)));
    assert.equal(site.channel.bufferedAmount, 1000);
    let isDrained = false;
    const drained = site.channel.drained().then(() => {
      isDrained = true;
    });
    await settled(() => isDrained);
    assert.equal(isDrained, false);
    socket.send(ack(1));
    await drained;
    assert.deepEqual(site.calls, ["open", "drain"]);
  });

  it("writes at once what waits for the end of the turn, when the application waits for its client", {
    skip: lacks("writes that the system takes at once"),
  }, async (t) => {
    const { site } = await sessionOfSocket(t);
    const bytesSent = (): number => site.site.server.stats().bytesSent;
    const before = bytesSent();
    site.channel.send("x".repeat(1000));
    assert.equal(bytesSent(), before);
    void site.channel.drained();
    assert.ok(bytesSent() > before + 1000, String(bytesSent() - before));
  });

  it("may send, or end, inside the drain handler: open still arrives first", async (t) => {
    let isLast = false;
    const { site, stream, open } = await sessionOfStream(t, {
      drain: (channel) => (isLast ? channel.terminate() : channel.send("more")),
    });
    site.channel.send("a");
    assert.deepEqual(await stream.record(), text("a"));
    const again = await StreamClient.open(t, site.endpoint, back(open, 1));
    assert.equal((await again.opened()).first, 2);
    assert.deepEqual(await again.record(), text("more"));
    isLast = true;
    const over = await poll(t, site.endpoint, back(open, 2));
    assert.deepEqual(over.records, []);
    await site.called("close server 1006 abnormal");
  });

  it("answers a POST that waited for room with 410 when the session has ended meanwhile", async (t) => {
    const gate = deferred();
    const { site, session } = await sessionOfPoll(t, { message: () => gate.promise });
    const many = Array.from({ length: 70 }, () => text("x"));
    assert.equal((await post(t, site.endpoint, session, 1, ...many)).status, 200);
    const late = post(t, site.endpoint, session, 71, text("late"));
    await until(() => site.site.server.stats().requests === 3, "it waits");
    await turn();
    site.channel.terminate();
    assert.equal((await late).status, 410);
    gate.resolve();
  });

  it("delivers one message at a time on every carrier", async (t) => {
    const gates = [deferred(), deferred(), deferred()];
    let running = 0;
    const { site, socket, session } = await sessionOfSocket(t, {
      async message(message) {
        running += 1;
        assert.equal(running, 1);
        await gates[Number(message)]!.promise;
        running -= 1;
      },
    });
    socket.send(text("0"));
    await site.called("receive 0");
    await post(t, site.endpoint, session, 2, text("1"), text("2"));
    for (const gate of gates) gate.resolve();
    await site.called("receive 2");
    assert.deepEqual(site.calls, ["open", "receive 0", "receive 1", "receive 2"]);
  });

  it("holds messages until setup has settled", async (t) => {
    const gate = deferred();
    const { site, socket, session } = await sessionOfSocket(t, { open: () => gate.promise });
    socket.send(text("a"));
    await post(t, site.endpoint, session, 2).catch(() => {});
    assert.deepEqual(site.calls, ["open"]);
    gate.resolve();
    await site.called("receive a");
  });

  it("makes a client wait that sends faster than the application receives: a WebSocket is not read, a POST not answered", async (t) => {
    const gate = deferred();
    const { site, socket, open } = await sessionOfSocket(t, { message: () => gate.promise });
    const sent = await socket.ws.raw.clog((i) => socket.send(text(`${i} ${"x".repeat(60_000)}`)));
    socket.drop();
    const next = opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).received + 1;
    assert.ok(next < sent, "not all was read");
    let isAnswered = false;
    const answer = post(t, site.endpoint, open.session, next, text("last")).then((found) => {
      isAnswered = true;
      return found;
    });
    await settled(() => isAnswered);
    assert.equal(isAnswered, false);
    gate.resolve();
    assert.deepEqual((await answer).records, [ack(next)]);
    await site.called("receive last");
  });

  it("passes pings on if the carrier is a WebSocket", async (t) => {
    const pings: string[] = [];
    const { site, socket, open } = await sessionOfSocket(t, {
      ping: (data) => pings.push(`ping ${Buffer.from(data)}`),
      pong: (data) => pings.push(`pong ${Buffer.from(data)}`),
    });
    socket.ws.ping("a");
    assert.equal(await socket.ws.pong(), "a");
    assert.equal(site.channel.ping("b"), true);
    assert.equal((await socket.ws.frame()).payload.toString(), "b");
    assert.deepEqual(pings, ["ping a"]);
    await poll(t, site.endpoint, { ...back(open, 0), park: 0 });
    assert.equal(site.channel.ping(), false);
  });

  it("compresses a WebSocket's messages and a poll's answer with the option compress", async (t) => {
    const site = await sessionSite(t, { open: (channel) => channel.send("x".repeat(5000)) }, { compress: true });
    const query = { mode: "poll" };
    const answer = await ask(t, site.endpoint, { query, fields: ["Accept-Encoding: gzip"] });
    assert.deepEqual(answer.response.headers.get("content-encoding"), ["gzip"]);
    assert.ok(answer.response.body.length < 1000);
  });
});

describe("the end of a session", () => {
  it("a close by the server runs the handler when the client has acknowledged it", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    site.channel.send("last");
    assert.equal(site.channel.close(4000, "done"), true);
    assert.equal(site.channel.close(), false);
    assert.equal(site.channel.send("late"), false);
    assert.deepEqual(await socket.record(), text("last"));
    assert.deepEqual(await socket.record(), close(4000, "done"));
    assert.deepEqual(site.calls, ["open"]);
    socket.send(ack(2));
    assert.deepEqual(await socket.closed(), { code: 1000, reason: "" });
    await site.called("close server 4000 application");
  });

  it("a close by the server arrives as the last message", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    assert.equal(site.channel.send("last", true), true);
    const answer = await poll(t, site.endpoint, { session });
    assert.deepEqual(answer.records.slice(1), [text("last"), close()]);
    await post(t, site.endpoint, session, 1, ack(2));
    await site.called("close server 1000 server-close");
  });

  it("a close by the client runs the handler after its earlier messages", async (t) => {
    const { site, session } = await sessionOfPoll(t);
    await post(t, site.endpoint, session, 1, text("a"), close(1000, "bye"), text("never"));
    await site.called("close client 1000 normal");
    assert.deepEqual(site.calls, ["open", "receive a", "close client 1000 normal"]);
    assert.equal(site.channel.isOpen, false);
  });

  it("does not follow from the end of a WebSocket without a close record, whatever its code", async (t) => {
    const site = await sessionSite(t);
    for (const code of [1000, 1001, 4001]) {
      const socket = await SocketClient.open(t, site.endpoint);
      const open = await socket.opened();
      socket.ws.close(code);
      await socket.closed();
      assert.equal(opened(await poll(t, site.endpoint, { ...back(open, 0), park: 0 })).resumed, true);
    }
  });

  it("terminate ends a session at once, and unsent messages are lost", async (t) => {
    const { site, socket, open } = await sessionOfSocket(t);
    site.channel.terminate();
    await socket.ws.ended();
    await site.called("close server 1006 abnormal");
    assert.equal(opened(await poll(t, site.endpoint, back(open, 0))).resumed, false);
  });

  it("a broken frame ends a session with 1002, a message that is too big with 1009", async (t) => {
    const site = await sessionSite(t, {}, { maxMessageBytes: 100 });
    const big = await SocketClient.open(t, site.endpoint);
    const open = await big.opened();
    big.send(text("x".repeat(101)));
    assert.equal((await big.closed()).code, 1009);
    await site.called("close server 1009 message-too-big");
    const broken = await SocketClient.open(t, site.endpoint);
    await broken.opened();
    broken.ws.raw.write(Uint8Array.of(0xff, 0xff));
    assert.equal((await broken.closed()).code, 1002);
    await site.called("close server 1002 protocol-error");
    assert.equal(opened(await poll(t, site.endpoint, back(open, 0))).resumed, false);
  });

  it("follows from a setup that throws: 1011", async (t) => {
    const site = await sessionSite(t, {
      open: () => {
        throw new Error("no");
      },
    });
    const answer = await poll(t, site.endpoint);
    assert.deepEqual(answer.records.slice(1), [close(1011)]);
    assert.deepEqual(site.site.takeMessages(), ["open: no"]);
  });

  it("runs the close handlers once, last, when both ends close at once", async (t) => {
    const { site, socket } = await sessionOfSocket(t);
    socket.send(close(1000, "mine"));
    site.channel.close(1000, "ours");
    await until(() => site.calls.some((call) => call.startsWith("close")), "a close");
    await settled(() => site.calls.length);
    assert.equal(site.calls.filter((call) => call.startsWith("close")).length, 1);
  });
});

describe("a session in its handler", () => {
  it("refuses a request that has its channel already", async (t) => {
    const site = await serving(t, (request) => {
      openSession(request, {});
      return openSession(request, {});
    });
    await poll(t, { ...site.target, pathname: "/" });
    assert.deepEqual(site.takeMessages(), [
      "handler: request was answered already: it has a channel; open one for each request",
    ]);
  });

  it("works with a Fetch handler, and after an await", async (t) => {
    const site = await serving(t, async (request) => {
      await Promise.resolve();
      return openSession(request.toRequest(), { message: (message, channel) => channel.send(message) }).response;
    });
    const endpoint = { ...site.target, pathname: "/" };
    const { session } = opened(await poll(t, endpoint));
    assert.deepEqual((await post(t, endpoint, session, 1, text("a"))).records, [ack(1)]);
    assert.deepEqual((await poll(t, endpoint, { session })).records.slice(1), [text("a")]);
  });

  it("reports a second response that the handler returns", async (t) => {
    const site = await serving(t, (request) => {
      openSession(request, {});
      return "more";
    });
    assert.equal(opened(await poll(t, { ...site.target, pathname: "/" })).resumed, false);
    assert.match(site.takeMessages().join(), /a channel is open/);
  });

  it("reports a body that the handler has read, and answers 500", async (t) => {
    const site = await serving(t, async (request: ChannelRequest) => {
      if (request.method === "POST") await request.bytes();
      return openSession(request, {});
    });
    const endpoint = { ...site.target, pathname: "/" };
    const { session } = opened(await poll(t, endpoint));
    assert.equal((await post(t, endpoint, session, 1, text("a"))).status, 500);
    assert.deepEqual(site.takeMessages(), ["handler: request body was read already"]);
  });
});

describe("a prepared message", () => {
  it("arrives unchanged on every carrier, live and after a resumption", async (t) => {
    const site = await sessionSite(t, {}, { compress: true });
    const socket = await SocketClient.open(t, site.endpoint);
    const stream = await StreamClient.open(t, site.endpoint);
    const away = opened(await poll(t, site.endpoint));
    const resumed = await socket.opened();
    await stream.opened();
    const messages = ["x".repeat(3000), "a\rb", Uint8Array.of(1, 2, 255)];
    for (const message of messages.map((data) => prepare(data))) {
      for (const channel of site.channels) assert.equal(channel.send(message), true);
    }
    socket.drop();
    const again = await SocketClient.open(t, site.endpoint, back(resumed, 0));
    await again.opened();
    const polled = (await poll(t, site.endpoint, back(away, 0))).records.slice(1);
    for (const [i, data] of messages.entries()) {
      assert.deepEqual(await stream.record(), { type: "message", data });
      assert.deepEqual(await again.record(), { type: "message", data });
      assert.deepEqual(polled[i], { type: "message", data });
    }
  });
});

describe("sessions in a group", () => {
  it("all get broadcasts on every carrier, and stay members", async (t) => {
    const store = new MemoryChannelStore();
    const site = await sessionSite(t, { open: (channel) => store.addToGroup("g", channel) });
    const socket = await SocketClient.open(t, site.endpoint);
    const stream = await StreamClient.open(t, site.endpoint);
    const polling = opened(await poll(t, site.endpoint));
    await socket.opened();
    await stream.opened();
    assert.equal(store.broadcast("g", "one"), 3);
    assert.equal(store.broadcast("g", { two: 2 }), 3);
    for (const next of [() => socket.record(), () => stream.record()]) {
      assert.deepEqual(await next(), text("one"));
      assert.deepEqual(await next(), text('{"two":2}'));
    }
    const { records } = await poll(t, site.endpoint, { session: polling.session });
    assert.deepEqual(records.slice(1), [text("one"), text('{"two":2}')]);
    assert.equal(store.size("g"), 3);
    await post(t, site.endpoint, polling.session, 1, close());
    await until(() => store.size("g") === 2, "it has left");
  });
});
