// The beginning and the end of a connection as promises, and what becomes of what was sent before `close`.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Network, settle } from "./network.ts";

/** The outcome of a promise, or "pending". */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  await settle();
  return Promise.race([
    promise.catch((error: { code: string }) => error.code),
    new Promise((resolve) => setImmediate(resolve, "pending")),
  ]);
}

/** Fails the test for a promise that was rejected and that nobody listens to. */
async function withoutRejections(run: () => Promise<void>): Promise<void> {
  const rejections: unknown[] = [];
  const note = (error: unknown): void => void rejections.push(error);
  process.on("unhandledRejection", note);
  await run();
  await settle();
  process.off("unhandledRejection", note);
  assert.deepEqual(rejections, []);
}

describe("The promises of a connection", () => {
  it("`opened` is the first opening, `closed` the end", async () => {
    const network = new Network();
    const connection = network.connect();
    assert.equal(await outcome(connection.opened), "pending");
    network.socket().open();
    assert.deepEqual(await connection.opened, { session: "new", transport: "websocket", unacknowledged: [] });
    assert.equal(await outcome(connection.closed), "pending");
    connection.close(4000, "done");
    assert.deepEqual(await connection.closed, { by: "client", code: 4000, reason: "done", name: "application" });
  });

  it("`opened` rejects when the connection ends before, and says why; nobody need listen", async () => {
    await withoutRejections(async () => {
      const network = new Network();
      const connection = network.connect({ carriers: ["sse"] });
      await settle();
      network.get().respond(401);
      await settle();
      assert.equal((await connection.closed).code, 1008);
      await assert.rejects(connection.opened, { code: "CONNECTION_CLOSED", message: /1008 HTTP 401/ });
      void new Network().connect().close();
      void new Network().connect({ signal: AbortSignal.abort() }).drained();
    });
  });

  it("`drained` resolves when the server has everything, and rejects when the session is lost", async () => {
    await withoutRejections(async () => {
      const network = new Network();
      const connection = await network.opened("websocket");
      connection.send("1");
      void connection.drained();
      const drained = connection.drained();
      network.socket().drop();
      await network.advance(250);
      network.socket().open({ session: "T2" });
      assert.equal(await outcome(drained), "CONNECTION_CLOSED");
      assert.equal(await outcome(connection.drained()), undefined);
    });
  });
});

describe("What was sent before `close`", () => {
  it("a message sent while connecting goes out when a carrier opens, followed by the `close`", async () => {
    const network = new Network();
    const connection = network.connect();
    const events: unknown[] = [];
    connection.onOpen(() => events.push("open"));
    connection.onClose(({ unacknowledged }) => events.push(unacknowledged));
    connection.send("bye");
    connection.close();
    assert.equal(connection.state, "closed");
    const drained = connection.drained();
    assert.equal(await outcome(drained), "pending");
    network.socket().open();
    assert.deepEqual(network.socket().taken(), ["a0", "mbye", 'c{"code":1000,"reason":""}']);
    assert.equal(network.socket().isClosed, true);
    network.socket().onclose({ code: 1000, reason: "" });
    assert.equal(await outcome(drained), undefined);
    assert.deepEqual(events, [["bye"]], "and the application hears of no carrier any more");
    assert.equal(network.clock.pending, 0);
  });

  it("a message sent without a connection goes out when the session is resumed", async () => {
    for (const kind of ["websocket", "sse"] as const) {
      const network = new Network();
      const connection = await network.opened(kind, { carriers: kind === "sse" ? ["websocket", "sse"] : [kind] });
      await network.advance(5000);
      if (kind === "websocket") network.socket().drop();
      else network.get().fail();
      await settle();
      connection.send("bye");
      connection.close(4000);
      await network.advance(0);
      if (kind === "websocket") {
        network.socket().open({ resumed: true });
        assert.deepEqual(network.socket().taken(), ["mbye", 'c{"code":4000,"reason":""}']);
      } else {
        network.get().open({ resumed: true });
        await settle();
        assert.equal(network.post().body, 'data: bye\n\nevent: close\ndata: {"code":4000,"reason":""}\n\n');
        network.post().acknowledge(2);
        assert.equal(await outcome(connection.drained()), undefined);
        assert.equal(network.clock.pending, 0);
      }
    }
  });

  it("is given up after 10 s without a carrier: `drained` rejects, and nothing is asked for any more", async () => {
    const network = new Network();
    const connection = network.connect({ carriers: ["sse"] });
    connection.send("bye");
    connection.close();
    const drained = connection.drained();
    for (let second = 0; second < 10; second++) {
      await settle();
      network.get().fail();
      assert.equal(await outcome(drained), "pending");
      await network.advance(1000);
    }
    assert.equal(await outcome(drained), "CONNECTION_CLOSED");
    assert.equal(network.clock.pending, 0);
    const { length } = network.requests;
    await network.advance(60_000);
    assert.equal(network.requests.length, length);
  });

  it("is known to have arrived when the server has answered the close of the WebSocket, and unknown otherwise", async () => {
    for (const [code, expected] of [
      [1000, undefined],
      [1006, "CONNECTION_CLOSED"],
    ]) {
      const network = new Network();
      const connection = await network.opened("websocket");
      connection.send("1");
      connection.close();
      const drained = connection.drained();
      assert.equal(await outcome(drained), "pending");
      network.socket().onclose({ code: code as number, reason: "" });
      assert.equal(await outcome(drained), expected);
    }
  });

  it("arrives although the stream ends first: the answer of the POST says so", async () => {
    for (const end of ["finish", "fail"] as const) {
      const network = new Network();
      const connection = await network.opened("sse");
      connection.send("1");
      connection.close();
      const drained = connection.drained();
      await settle();
      // The server has read the POST, and its `close` ends the stream before the answer is out.
      network.get()[end]();
      await settle();
      const post = network.post();
      assert.equal(post.isAborted, false);
      assert.equal(await outcome(drained), "pending");
      post.acknowledge(post.body.includes("event: close") ? 2 : 1);
      await settle();
      if (post !== network.post()) network.post().acknowledge(2);
      assert.equal(await outcome(drained), undefined);
      assert.equal(network.clock.pending, 0);
    }
  });

  it("waits 10 s in total for a slow server, and does not keep a process alive for an hour", async () => {
    for (const isClosedFirst of [true, false]) {
      const network = new Network();
      const connection = await network.opened("sse");
      connection.send("1");
      await settle();
      if (isClosedFirst) connection.close();
      network.post().respond(503, { "Retry-After": "3600" }).finish();
      await settle();
      connection.close();
      const drained = connection.drained();
      await settle();
      if (!isClosedFirst) network.post().respond(503, { "Retry-After": "3600" }).finish();
      assert.equal(await outcome(drained), "CONNECTION_CLOSED");
      assert.equal(network.clock.pending, 0);
    }
  });

  it("reaches a server that is slow for less than that", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("1");
    connection.close();
    const drained = connection.drained();
    await settle();
    network.post().respond(503, { "Retry-After": "4" }).finish();
    await network.advance(4000);
    assert.equal(await outcome(drained), "pending");
    network.post().acknowledge(2);
    assert.equal(await outcome(drained), undefined);
    assert.equal(network.clock.pending, 0);
  });

  it("an unacknowledged message is reported when the server closes", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    connection.send("1");
    connection.send("2");
    network.socket().hear("a1", 'c{"code":4001,"reason":"bye"}');
    assert.deepEqual(await connection.closed, {
      by: "server",
      code: 4001,
      reason: "bye",
      name: "application",
      unacknowledged: ["2"],
    });
    assert.equal(await outcome(connection.drained()), "CONNECTION_CLOSED");
  });
});

describe("A message that cannot be sent", () => {
  it("is refused and forgotten: shared memory, a buffer that was transferred, a view of one, what is no bytes", async () => {
    for (const kind of ["websocket", "sse"] as const) {
      const network = new Network();
      const connection = await network.opened(kind);
      const gone = new ArrayBuffer(8);
      const view = new Uint8Array(gone);
      structuredClone(gone, { transfer: [gone] });
      const wrong = [
        new Uint8Array(new SharedArrayBuffer(8)),
        new SharedArrayBuffer(8),
        gone,
        view,
        Promise.resolve("x"),
      ];
      for (const value of wrong) {
        assert.throws(() => connection.send(value as Uint8Array<ArrayBuffer>), { code: "BAD_DATA" });
      }
      assert.equal(connection.bufferedAmount, 0);
      connection.send("after");
      await settle();
      const sent = kind === "websocket" ? network.socket().taken() : [network.post().body];
      assert.deepEqual(sent.slice(-1), [kind === "websocket" ? "mafter" : "data: after\n\n"]);
      assert.equal(connection.close(), true);
      assert.equal(connection.state, "closed");
    }
  });

  it("keeps its bytes as they were, whatever happens to the buffer", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    const bytes = Uint8Array.of(1, 2, 3);
    connection.send(bytes);
    bytes.fill(9);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    await settle();
    assert.equal(network.post().body, "event: binary\ndata: AQID\n\n");
  });

  it("an error of an open WebSocket's `send` is thrown, and the messages before and after it arrive", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const errors: unknown[] = [];
    connection.onError((error) => errors.push(error));
    connection.send("1");
    const socket = network.socket();
    Object.assign(socket, {
      readyState: 1,
      send: () => {
        throw new TypeError("not this one");
      },
    });
    assert.throws(() => connection.send("2"), { code: "BAD_DATA", message: /not this one/ });
    assert.equal(connection.send("3"), true);
    await network.advance(250);
    network.socket().open({ resumed: true, received: 1 });
    assert.deepEqual(network.socket().taken(), ["m3"]);
    assert.deepEqual(errors, []);
    assert.equal(connection.close(), true);
  });

  it("never keeps `close` from ending the connection, even when the WebSocket throws at everything", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const fail = (): never => {
      throw new Error("broken");
    };
    Object.assign(network.socket(), { send: fail, close: fail });
    let closes = 0;
    connection.onClose(() => closes++);
    assert.equal(connection.close(), true);
    assert.equal(closes, 1);
  });
});
