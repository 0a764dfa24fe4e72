// The client's end of a session against a server that is played by the test: PROTOCOL.md, number by number.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { connect } from "../../src/client/connect.ts";
import type { Connection, Opening } from "../../src/client/connection.ts";
import { jsonMessages } from "../../src/codec/message-codec.ts";
import { Network, settle } from "./network.ts";

function heard(connection: Connection): unknown[] {
  const messages: unknown[] = [];
  connection.onMessage((message) => messages.push(message));
  return messages;
}

function openings(connection: Connection): Opening[] {
  const all: Opening[] = [];
  connection.onOpen((opening) => all.push(opening));
  return all;
}

describe("On a WebSocket a connection", () => {
  it("shows that it has the token, sends what waited and what comes, and counts what is not acknowledged", async () => {
    const network = new Network();
    const connection = network.connect();
    assert.equal(connection.send("early"), true);
    await settle();
    network.socket().open();
    connection.send(Uint8Array.of(1, 2));
    assert.deepEqual(network.socket().taken(), ["a0", "mearly", Uint8Array.of(1, 2)]);
    assert.equal(connection.bufferedAmount, 128);
    let isDrained = false;
    void connection.drained().then(() => {
      isDrained = true;
    });
    network.socket().hear("a1");
    await settle();
    assert.equal(isDrained, false);
    network.socket().hear("a2");
    await settle();
    assert.equal(isDrained, true);
    assert.equal(connection.bufferedAmount, 0);
  });

  it("gets text as text and binary as bytes, in order", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const messages = heard(connection);
    network.socket().say({ type: "message", data: "one\r\n" }, { type: "message", data: Uint8Array.of(0, 255) });
    network.socket().hear("m");
    assert.deepEqual(messages, ["one\r\n", Uint8Array.of(0, 255), ""]);
  });

  it("acknowledges after 1 s, or 16 messages, or 64 KiB", async () => {
    const network = new Network();
    await network.opened("websocket");
    network.socket().taken();
    network.socket().hear("m1");
    await network.advance(999);
    assert.deepEqual(network.socket().taken(), []);
    await network.advance(1);
    assert.deepEqual(network.socket().taken(), ["a1"]);
    for (let id = 2; id <= 17; id++) network.socket().hear(`m${id}`);
    assert.deepEqual(network.socket().taken(), ["a17"]);
    network.socket().hear(`m${"x".repeat(65_536)}`);
    assert.deepEqual(network.socket().taken(), ["a18"]);
    await network.advance(1000);
    assert.deepEqual(network.socket().taken(), []);
  });

  it("takes the session up: sends again what the server has not, and takes nothing twice", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const messages = heard(connection);
    const opened = openings(connection);
    network.socket().hear("mA", "mB");
    for (const text of ["1", "2", "3"]) connection.send(text);
    network.socket().hear("a1");
    network.socket().drop();
    connection.send("4");
    await network.advance(250);
    assert.equal(network.socket().query, "?session=T1&after=2");
    // The server did not know that B had arrived.
    network.socket().open({ resumed: true, received: 2, first: 2 });
    network.socket().hear("mB", "mC");
    assert.deepEqual(network.socket().taken(), ["m3", "m4"]);
    assert.deepEqual(messages, ["A", "B", "C"]);
    assert.deepEqual(opened, [{ session: "resumed", transport: "websocket", unacknowledged: [] }]);
  });

  it("says that a session is lost, and what of it may not have arrived; what never left goes out", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const messages = heard(connection);
    for (const text of ["1", "2", "3"]) connection.send(text);
    network.socket().hear("mA", "a1");
    network.socket().drop();
    connection.send("4");
    const opened = openings(connection);
    await network.advance(250);
    network.socket().open({ session: "T2" });
    assert.deepEqual(opened, [{ session: "lost", transport: "websocket", unacknowledged: ["2", "3"] }]);
    assert.deepEqual(network.socket().taken(), ["a0", "m4"]);
    network.socket().hear("mA");
    assert.deepEqual(messages, ["A", "A"]);
    network.socket().drop();
    await network.advance(500);
    assert.equal(network.socket().query, "?session=T2&after=1");
  });

  it("treats a `first` beyond its next number as a lost session (Resuming a session, 3)", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const opened = openings(connection);
    network.socket().drop();
    await network.advance(250);
    const messages = heard(connection);
    network.socket().open({ resumed: true, received: 4, first: 2 });
    assert.equal(opened[0]?.session, "lost");
    network.socket().hear("mB");
    connection.send("5");
    assert.deepEqual(messages, ["B"]);
    assert.deepEqual(network.socket().taken(), ["m5"]);
    network.socket().hear("a5");
    assert.equal(connection.bufferedAmount, 0);
    network.socket().drop();
    await network.advance(500);
    assert.equal(network.socket().query, "?session=T1&after=2");
  });

  it("takes a carrier on which nothing is acknowledged for twice `heartbeatMs` to be dead", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    connection.send("1");
    for (const state of ["open", "open", "reconnecting"]) {
      network.socket().hear("h");
      await network.advance(25_000);
      assert.equal(connection.state, state);
    }
  });

  it("drops a server that breaks the protocol, and says so", async () => {
    for (const wrong of ["x", "a9", 'c{"code":"x"}']) {
      const network = new Network();
      const connection = await network.opened("websocket");
      const errors: unknown[] = [];
      connection.onError((error) => errors.push(error));
      network.socket().hear(wrong);
      assert.equal(connection.state, "reconnecting");
      assert.equal(network.socket().isClosed, true);
      assert.deepEqual(
        errors.map((error) => (error as { code: string }).code),
        ["BAD_RECORD"],
      );
    }
  });
});

describe("On HTTP a connection", () => {
  it("sends what one turn sends in one POST, and one POST at a time", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1\r");
    connection.send("2\n3");
    connection.send(Uint8Array.of(1));
    await settle();
    assert.equal(network.post().query, "?session=T1&from=1");
    assert.equal(network.post().headers.get("content-type"), "text/plain;charset=utf-8");
    const bodies = ['event: text\ndata: "1\\r"\n\n', "data: 2\ndata: 3\n\n", "event: binary\ndata: AQ==\n\n"];
    assert.equal(network.post().body, bodies.join(""));
    connection.send("4");
    await settle();
    assert.equal(network.count("POST"), 1);
    network.post().acknowledge(3);
    await settle();
    assert.equal(network.count("POST"), 2);
    assert.equal(network.post().query, "?session=T1&from=4");
    network.post().acknowledge(4);
    await connection.drained();
  });

  it("keeps a POST below 64 KiB where its messages are", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    for (const size of [40_000, 20_000, 10_000, 100_000, 1]) connection.send("x".repeat(size));
    for (const [from, next] of [
      [1, 3],
      [3, 4],
      [4, 5],
      [5, 6],
    ]) {
      await settle();
      assert.equal(network.post().query, `?session=T1&from=${from}`);
      network.post().acknowledge(next! - 1);
    }
    await connection.drained();
  });

  it("sends again what failed, with a pause, and gives the carrier up after three times", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1");
    await settle();
    network.post().fail();
    await network.advance(249);
    assert.equal(network.count("POST"), 1);
    await network.advance(1);
    assert.equal(network.post().query, "?session=T1&from=1");
    network.post().respond(502);
    await network.advance(500);
    assert.equal(network.count("POST"), 3);
    assert.equal(connection.state, "open");
    network.post().respond(502);
    await settle();
    assert.equal(connection.state, "reconnecting");
    await network.advance(250);
    network.get().open({ resumed: true, received: 1 });
    await connection.drained();
    assert.equal(network.count("POST"), 3, "it had arrived");
  });

  it("goes on from where a 409 says that the server is", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1");
    await settle();
    network.post().acknowledge(1);
    await settle();
    connection.send("2");
    connection.send("3");
    await settle();
    network.post().acknowledge(2, 409);
    await settle();
    assert.equal(network.post().query, "?session=T1&from=3");
    assert.equal(network.post().body, "data: 3\n\n");
  });

  it("counts from what is acknowledged by now when it sends again: `open` may have said more than a lost answer", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    for (const text of ["1", "2", "3"]) connection.send(text);
    await settle();
    network.post().fail();
    network.get().open({ resumed: true, received: 3 }).finish();
    for (const text of ["4", "5", "6", "7"]) connection.send(text);
    await network.advance(250);
    assert.equal(network.post().query, "?session=T1&from=4");
    assert.equal(network.post().body, "data: 4\n\ndata: 5\n\ndata: 6\n\ndata: 7\n\n");
  });

  it("takes another carrier when somebody else answers its POSTs, or the server refuses them", async () => {
    for (const status of [200, 429]) {
      const network = new Network();
      const connection = await network.opened("sse");
      connection.send("1");
      await settle();
      network.post().respond(status).push("<p>Log in</p>").finish();
      await settle();
      assert.equal(connection.state, "reconnecting", `${status}`);
      await network.advance(250);
      network.get().open({ resumed: true });
      await settle();
      assert.equal(network.post().query, "?session=T1&from=1");
    }
  });

  it("takes a message of any size, as on a WebSocket", async () => {
    const network = new Network();
    const messages = heard(await network.opened("sse"));
    const data = "x".repeat(5_000_000);
    network.get().say({ type: "message", data });
    await settle();
    assert.ok(messages[0] === data);
  });

  it("acknowledges in POSTs on a stream, and with `after` when it polls", async () => {
    const network = new Network();
    await network.opened("sse");
    network.get().push("data: A\n\n");
    await network.advance(1000);
    assert.equal(network.post().query, "?session=T1&from=1");
    assert.equal(network.post().body, "event: ack\ndata: 1\n\n");

    const polled = new Network();
    const messages = heard(await polled.opened("poll"));
    polled.get().open({ resumed: true }).push("data: A\n\n").finish();
    await settle();
    assert.equal(polled.get().query, "?mode=poll&session=T1&after=1");
    polled.get().open({ resumed: true, first: 2 }).push("data: B\n\n").finish();
    await polled.advance(1000);
    assert.deepEqual(messages, ["A", "B"]);
    assert.equal(polled.count("POST"), 0);
  });

  it("says that a session is lost between two polls, and goes on polling the new one", async () => {
    const network = new Network();
    const opened = openings(await network.opened("poll"));
    network.get().open({ session: "T2" }).finish();
    await settle();
    assert.deepEqual(opened, [{ session: "lost", transport: "poll", unacknowledged: [] }]);
    assert.equal(network.get().query, "?mode=poll&session=T2&after=0");
  });

  it("carries headers, parameters and credentials, asked for at each request", async () => {
    const network = new Network();
    let asked = 0;
    network.connect({
      carriers: ["sse"],
      headers: async () => ({ Authorization: `Bearer ${++asked}` }),
      params: { room: "a b" },
      credentials: "include",
    });
    await settle();
    assert.equal(network.get().query, "?room=a+b");
    assert.equal(network.get().headers.get("authorization"), "Bearer 1");
    assert.equal(network.get().init.credentials, "include");
    network.get().open();
    await network.advance(25_000);
    assert.equal(network.post().headers.get("authorization"), "Bearer 2");
    assert.equal(network.post().query, "?room=a+b&session=T1&from=1");
  });

  it("gives a WebSocket that was given to it the headers, and other protocols", async () => {
    const network = new Network();
    network.connect({ headers: { A: "b" }, protocols: ["token.x"], params: () => ({ p: "1" }) });
    await settle();
    assert.deepEqual(network.socket().protocols, ["unichannel.v1", "token.x"]);
    assert.deepEqual(network.socket().options, { headers: { A: "b" } });
    assert.equal(network.socket().query, "?p=1");
  });

  it("says what the application's own `params` threw", async () => {
    const network = new Network();
    const connection = network.connect({
      carriers: ["sse"],
      params: () => {
        throw new Error("no token");
      },
    });
    const errors: unknown[] = [];
    connection.onError((error) => errors.push((error as Error).cause));
    await settle();
    assert.deepEqual(errors, [new Error("no token")]);
  });
});

describe("The end of a connection", () => {
  it("is a `close` after all messages, then that of the carrier (WebSocket)", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const closed: unknown[] = [];
    connection.onClose((close) => closed.push(close));
    network.socket().taken();
    connection.send("1");
    assert.equal(connection.close(4000, "done"), true);
    assert.deepEqual(network.socket().taken(), ["m1", 'c{"code":4000,"reason":"done"}']);
    assert.equal(network.socket().isClosed, true);
    assert.equal(connection.state, "closed");
    assert.equal(connection.transport, undefined);
    assert.equal(connection.close(), false);
    assert.equal(connection.send("2"), false);
    assert.deepEqual(closed, [{ by: "client", code: 4000, reason: "done", name: "application" }]);
  });

  it("is a `close` after all messages, then that of the carrier (HTTP)", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1");
    await settle();
    connection.send("2");
    connection.close();
    await settle();
    assert.equal(network.get().isAborted, false);
    network.post().acknowledge(1);
    await settle();
    assert.equal(network.post().body, 'data: 2\n\nevent: close\ndata: {"code":1000,"reason":""}\n\n');
    assert.equal(network.post().init.keepalive, true);
    network.post().acknowledge(3);
    await settle();
    assert.equal(network.get().isAborted, true);
  });

  it("is refused with a code or reason that no WebSocket has", () => {
    const connection = new Network().connect();
    for (const code of [999, 1001, 2999, 5000, 3000.5, Number.NaN, "3000" as unknown as number]) {
      assert.throws(() => connection.close(code), { code: "BAD_CLOSE" }, `${code}`);
    }
    assert.throws(() => connection.close(1000, "é".repeat(62)), { code: "BAD_CLOSE" });
    assert.equal(connection.close(1000, "é".repeat(61)), true);
  });

  it("is the server's `close`, acknowledged at once", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const closed: unknown[] = [];
    connection.onClose((close) => closed.push(close));
    network.socket().taken();
    network.socket().hear("mA", 'c{"code":4001,"reason":"bye"}');
    assert.deepEqual(network.socket().taken(), ["a2"]);
    assert.equal(network.socket().isClosed, true);
    assert.deepEqual(closed, [{ by: "server", code: 4001, reason: "bye", name: "application" }]);
    assert.equal(network.clock.pending, 0);

    const stream = new Network();
    await stream.opened("sse");
    stream.get().push('event: close\ndata: {"code":1000,"reason":""}\n\n').finish();
    await settle();
    assert.equal(stream.post().body, "event: ack\ndata: 1\n\n");
    stream.post().acknowledge(0);
    await stream.advance(60_000);
    assert.equal(stream.requests.length, 2);

    const polled = new Network();
    await polled.opened("poll");
    polled.get().open({ resumed: true }).push('event: close\ndata: {"code":1000,"reason":""}\n\n').finish();
    await settle();
    assert.equal(polled.post().body, "event: ack\ndata: 1\n\n");
  });

  it("is not a `close` with `retryMs`: it comes back after that long", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const opened = openings(connection);
    network.socket().hear('c{"code":1012,"reason":"","retryMs":3000}');
    assert.equal(connection.state, "reconnecting");
    await network.advance(2999);
    assert.equal(network.sockets.length, 1);
    await network.advance(1);
    network.socket().open({ session: "T2" });
    assert.equal(opened[0]?.session, "lost");
  });

  it("is a WebSocket's with a code that ends sessions, or one that somebody else took", async () => {
    for (const code of [1002, 1003, 1007, 1008, 1009, 1011, 4409]) {
      const network = new Network();
      const connection = await network.opened("websocket");
      network.socket().drop(code, "why");
      assert.equal(connection.state, "closed", `${code}`);
    }
    for (const code of [1000, 1001, 1005, 1006, 1012, 1013, 4408]) {
      const network = new Network();
      const connection = await network.opened("websocket");
      network.socket().drop(code, "why");
      assert.equal(connection.state, "reconnecting", `${code}`);
    }
  });

  it("is not one that an own carrier replaced which came too late", async () => {
    const network = new Network();
    const connection = network.connect();
    await network.advance(2500);
    network.socket().open();
    network.socket().drop(4409);
    assert.equal(connection.state, "reconnecting");
  });

  it("is a request that is refused for good", async () => {
    for (const [status, code, name] of [
      [401, 1008, "policy-violation"],
      [403, 1008, "policy-violation"],
      [413, 1009, "message-too-big"],
    ] as const) {
      const network = new Network();
      const connection = network.connect({ carriers: ["sse", "poll"] });
      const closed: unknown[] = [];
      connection.onClose((close) => closed.push(close));
      await settle();
      network.get().respond(status);
      await settle();
      assert.deepEqual(closed, [{ by: "server", code, reason: `HTTP ${status}`, name }]);
      await network.advance(60_000);
      assert.equal(network.requests.length, 1);
    }
  });

  it("is the abort of its signal", async () => {
    const network = new Network();
    const controller = new AbortController();
    const connection = await network.opened("websocket", { signal: controller.signal });
    controller.abort();
    assert.equal(connection.state, "closed");
    assert.equal(network.connect({ signal: controller.signal }).state, "closed");
  });
});

describe("A connection", () => {
  it("accepts at most `maxBufferedBytes`, and reports it", () => {
    const connection = new Network().connect({ maxBufferedBytes: 1000 });
    assert.equal(connection.send("x".repeat(999)), true);
    assert.equal(connection.send("x"), true);
    assert.equal(connection.send("x"), false);
  });

  it("refuses what cannot be sent", () => {
    const connection = new Network().connect();
    for (const value of [undefined, null, 1, {}, []]) {
      assert.throws(() => connection.send(value as unknown as string), { code: "BAD_DATA" });
    }
    assert.throws(() => connect("chat"), TypeError);
    assert.throws(() => connect("http://a.example", { carriers: [] }), { code: "BAD_OPTION" });
  });

  it("sends what a view shows of its buffer, and an ArrayBuffer whole", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().taken();
    connection.send(Uint16Array.of(0x0101, 0x0202, 0x0303).subarray(1, 2));
    connection.send(Uint8Array.of(7, 8).buffer);
    assert.deepEqual(network.socket().taken(), [Uint8Array.of(2, 2), Uint8Array.of(7, 8)]);
  });

  it("can be read in a loop, which ends with it", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const message of connection) {
        seen.push(message);
        if (message === "B") await settle();
      }
    })();
    network.socket().hear("mA", "mB", "mC", 'c{"code":1000,"reason":""}');
    await loop;
    assert.deepEqual(seen, ["A", "B", "C"]);
    for await (const _ of connection) assert.fail("it is closed");
  });

  it("leaves a loop that is left", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const loop = (async () => {
      for await (const message of connection) return message;
      return undefined;
    })();
    network.socket().hear("mA", "mB");
    assert.equal(await loop, "A");
  });

  it("takes listeners away again, and tells `onError` what one threw", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const errors: unknown[] = [];
    const seen: unknown[] = [];
    connection.onError((error) => errors.push((error as Error).message));
    const off = connection.onMessage(() => {
      throw new Error("mine");
    });
    connection.onMessage((message) => seen.push(message));
    network.socket().hear("mA");
    off();
    network.socket().hear("mB");
    assert.deepEqual([errors, seen], [["mine"], ["A", "B"]]);
  });

  it("a codec's invalid values are not sent, and reach no handler", async () => {
    const network = new Network();
    const { client } = jsonMessages({
      toServer: z.object({ say: z.string() }),
      toClient: z.object({ id: z.coerce.bigint() }),
    });
    const connection = connect(network.url, { ...network.options(), codec: client });
    const errors: unknown[] = [];
    const seen: bigint[] = [];
    const lost: { say: string }[] = [];
    connection.onError((error) => errors.push((error as { code: string }).code));
    connection.onMessage(({ id }) => seen.push(id));
    connection.onOpen(({ unacknowledged }) => lost.push(...unacknowledged));
    await settle();
    network.socket().open();
    connection.send({ say: "hello" });
    connection.send({ say: "again" });
    assert.throws(() => connection.send({ say: 1 } as unknown as { say: string }), { code: "BAD_MESSAGE" });
    assert.deepEqual(network.socket().taken(), ["a0", 'm{"say":"hello"}', 'm{"say":"again"}']);
    network.socket().hear('m{"id":"1"}', "mnonsense", 'm{"id":2}', "a1");
    assert.deepEqual([seen, errors], [[1n, 2n], ["BAD_MESSAGE"]]);
    network.socket().drop();
    await network.advance(250);
    network.socket().open({ session: "T2" });
    assert.deepEqual(lost, [{ say: "again" }]);
  });
});
