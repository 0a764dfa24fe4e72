// The selection of a carrier, in virtual time: PROTOCOL.md, "Writing a client".

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Network, settle } from "./network.ts";

describe("A connection looks for a carrier and", () => {
  it("starts with WebSocket, offering the protocol, and is open when `open` has arrived", async () => {
    const network = new Network();
    const connection = network.connect();
    const states: string[] = [connection.state];
    connection.onState((state) => states.push(state));
    await settle();
    assert.equal(network.socket().url.href, `${network.url.replace("http", "ws")}?try=1&cursors=0`);
    assert.deepEqual(network.socket().protocols, ["unichannel.v1"]);
    network.socket().open();
    assert.deepEqual(states, ["connecting", "open"]);
    assert.equal(connection.transport, "websocket");
    assert.equal(network.requests.length, 0);
  });

  it("starts a stream beside a silent WebSocket after 2.5 s, and a poll after 2.5 s more", async () => {
    const network = new Network();
    const connection = network.connect();
    await network.advance(2499);
    assert.equal(network.requests.length, 0);
    await network.advance(1);
    assert.equal(network.get().query, "");
    assert.equal(network.get().headers.get("accept"), "text/event-stream");
    await network.advance(2499);
    assert.equal(network.requests.length, 1);
    await network.advance(1);
    assert.equal(network.get().query, "?mode=poll&park=0");
    assert.equal(network.socket().isClosed, false, "all are in the race");
    network.get().open().finish();
    await settle();
    assert.equal(connection.transport, "poll");
    assert.equal(network.socket().isClosed, true);
    assert.equal(network.requests[0]!.isAborted, true);
  });

  it("takes the first `open`, even of the one that started first", async () => {
    const network = new Network();
    const connection = network.connect();
    await network.advance(2500);
    network.socket().open();
    assert.equal(connection.transport, "websocket");
    await settle();
    assert.equal(network.get().isAborted, true);
    network.get().open();
    await settle();
    assert.equal(connection.transport, "websocket");
  });

  it("tries the next kind at once when one fails at once", async () => {
    const network = new Network();
    const connection = network.connect();
    await settle();
    network.socket().drop();
    await settle();
    assert.equal(network.get().query, "");
    network.get().respond(502);
    await settle();
    assert.equal(network.get().query, "?mode=poll&park=0");
    network.get().open().finish();
    await settle();
    assert.equal(connection.transport, "poll");
  });

  it("starts again after a pause with full jitter when all have failed: 500 ms, 1 s, 2 s, … 30 s", async () => {
    const network = new Network();
    network.connect();
    for (const pause of [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
      await settle();
      const before = network.sockets.length;
      network.socket().drop();
      await settle();
      network.get().fail();
      await settle();
      network.get().fail();
      await network.advance(pause - 1);
      assert.equal(network.sockets.length, before, `${pause}`);
      await network.advance(1);
      assert.equal(network.sockets.length, before + 1, `${pause}`);
    }
  });

  it("gives up all candidates 10 s after the last one has started", async () => {
    const network = new Network();
    network.connect();
    await network.advance(2500);
    await network.advance(2500);
    await network.advance(10_000);
    assert.equal(network.socket().isClosed, true);
    assert.ok(network.requests.every((request) => request.isAborted));
    await network.advance(250);
    assert.equal(network.sockets.length, 2);
  });

  it("waits as long as `Retry-After` says", async () => {
    const network = new Network();
    network.connect({ carriers: ["poll"] });
    await settle();
    network.get().respond(503, { "Retry-After": "7" });
    await network.advance(6999);
    assert.equal(network.requests.length, 1);
    await network.advance(1);
    assert.equal(network.requests.length, 2);
  });

  it("waits no longer than the longest timer, because longer ones fire at once", async () => {
    const network = new Network();
    const delays: number[] = [];
    const { setTimer } = network.clock;
    network.clock.setTimer = (fn, delayMs) => {
      delays.push(delayMs);
      return setTimer.call(network.clock, fn, delayMs);
    };
    network.connect({ carriers: ["poll"] });
    await settle();
    network.get().respond(503, { "Retry-After": "3000000" });
    await settle();
    assert.equal(delays.at(-1), 2 ** 31 - 1);
  });

  it("starts with the kind that the last connection to this origin has selected", async () => {
    const network = new Network();
    await network.opened("sse");
    network.connect();
    await settle();
    assert.equal(network.sockets.length, 1);
    assert.equal(network.count("GET"), 2);
  });

  it("uses no carrier that it was not given", async () => {
    const network = new Network();
    network.connect({ carriers: ["poll", "websocket"] });
    await settle();
    assert.equal(network.get().query, "?mode=poll&park=0");
    await network.advance(2500);
    assert.equal(network.sockets.length, 1);
  });
});

describe("A carrier that dies", () => {
  it("is followed by the same kind at once if it had worked, then with backoff, then by the next kind", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    await network.advance(5000);
    network.socket().drop();
    assert.equal(connection.state, "reconnecting");
    await network.advance(0);
    assert.equal(network.sockets.length, 2, "at once");
    network.socket().drop();
    await network.advance(249);
    assert.equal(network.sockets.length, 2);
    await network.advance(1);
    assert.equal(network.sockets.length, 3);
    network.socket().drop();
    await network.advance(500);
    assert.equal(network.sockets.length, 4);
    assert.equal(network.requests.length, 0, "two failures are tolerated");
    network.socket().drop();
    await settle();
    assert.equal(network.get().query, "?session=T1&after=0");
  });

  it("is followed by the best kind again when four attempts have failed", async () => {
    const network = new Network();
    await network.opened("poll");
    await network.advance(5000);
    network.get().fail();
    for (const pause of [0, 250, 500, 1000]) {
      await network.advance(pause);
      assert.equal(network.sockets.length, 1);
      network.get().fail();
    }
    await network.advance(2000);
    assert.equal(network.sockets.length, 2);
  });

  it("is followed after a pause when it lived less than 5 s", async () => {
    const network = new Network();
    await network.opened("websocket");
    await network.advance(4999);
    network.socket().drop();
    await network.advance(249);
    assert.equal(network.sockets.length, 1);
    await network.advance(1);
    assert.equal(network.sockets.length, 2);
  });

  it("is followed by one at a time: of two that ask for a session the second ends the first", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    await network.advance(5000);
    network.get().fail();
    await network.advance(0);
    // A proxy may hold the stream back until it has ended. It would be `open` then, and over.
    const stream = network.get();
    assert.equal(stream.query, "?session=T1&after=0");
    await network.advance(2500);
    assert.equal(stream.isAborted, true);
    assert.equal(network.get().query, "?mode=poll&park=0&session=T1&after=0");
    network.get().open({ resumed: true }).finish();
    await settle();
    assert.equal(connection.transport, "poll");
  });

  it("is a WebSocket that was silent for twice `heartbeatMs`; until then it gets signs of life", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().taken();
    await network.advance(24_999);
    network.socket().hear("h");
    await network.advance(1);
    assert.deepEqual(network.socket().taken(), ["h"]);
    await network.advance(25_000);
    assert.equal(connection.state, "open");
    assert.deepEqual(network.socket().taken(), ["h"]);
    await network.advance(25_000);
    assert.equal(network.sockets.length, 2);
    assert.equal(network.sockets[0]!.isClosed, true);
    assert.equal(connection.state, "reconnecting");
  });

  it("is also a stream without comments, whatever its POSTs are answered", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    network.sockets.length = 0;
    await network.advance(25_000);
    assert.equal(network.post().body, "event: ack\ndata: 0\n\n");
    network.post().acknowledge(0);
    network.get().push(":\n\n");
    await network.advance(25_000);
    network.post().acknowledge(0);
    assert.equal(connection.state, "open");
    await network.advance(25_000);
    assert.equal(connection.state, "reconnecting");
  });
});

describe("A connection on a less preferred carrier", () => {
  it("tries WebSocket again after 30, 60, 120 s, and moves when its `open` is there", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    const states: string[] = [];
    connection.onState((state) => states.push(state));
    for (const pause of [30_000, 60_000]) {
      const before = network.sockets.length;
      for (let passed = 0; passed < pause - 10_000; passed += 10_000) {
        await network.advance(10_000);
        network.get().push(":\n\n");
      }
      await network.advance(9_999);
      assert.equal(network.sockets.length, before);
      network.get().push(":\n\n");
      await network.advance(1);
      assert.equal(network.sockets.length, before + 1);
      assert.equal(network.socket().query, "?session=T1&after=0");
      if (pause === 60_000) break;
      await network.advance(2500);
      assert.equal(network.socket().isClosed, true, "silent for 2.5 s");
    }
    const opened: unknown[] = [];
    connection.onOpen(({ session, transport }) => opened.push(session, transport));
    network.socket().open({ resumed: true });
    await settle();
    assert.equal(connection.transport, "websocket");
    assert.equal(network.get().isAborted, true);
    assert.deepEqual(opened, ["resumed", "websocket"]);
    assert.deepEqual(states, [], "it was open all the time");
  });

  it("waits for the WebSocket when the server has ended the stream in its favour", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    await network.advance(30_000);
    const before = network.count("GET");
    network.get().finish();
    await settle();
    assert.equal(network.count("GET"), before);
    network.socket().open({ resumed: true });
    assert.equal(connection.transport, "websocket");
  });

  it("goes back to the stream when the WebSocket stays silent all the same", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    await network.advance(30_000);
    network.get().finish();
    await network.advance(2500);
    await network.advance(0);
    assert.equal(network.socket().isClosed, true);
    assert.equal(network.get().query, "?session=T1&after=0");
    network.get().open({ resumed: true });
    await settle();
    assert.equal(connection.transport, "sse");
  });

  it("does not poll while a WebSocket may take the session", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    assert.equal(network.get().query, "?mode=poll&session=T1&after=0");
    await network.advance(30_000);
    network.get().open({ resumed: true }).finish();
    await settle();
    const before = network.count("GET");
    network.socket().drop();
    await settle();
    assert.equal(network.count("GET"), before + 1, "and goes on when it does not");
    assert.equal(connection.transport, "poll");
  });
});

describe("An event of the page", () => {
  it("ends a pause, if it is `online`", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().drop();
    network.page("offline");
    assert.equal(connection.state, "offline");
    await network.advance(250);
    network.socket().drop();
    await settle();
    const before = network.sockets.length;
    network.page("online");
    assert.equal(connection.state, "reconnecting");
    await network.advance(0);
    assert.equal(network.sockets.length, before + 1);
    network.socket().open({ resumed: true });
    assert.equal(connection.state, "open");
  });

  it("starts a second carrier, if it is `online`, which takes the session over", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.page("online");
    await settle();
    assert.equal(network.sockets.length, 2);
    network.sockets[0]!.drop(4409, "replaced");
    // The second has the session, so its `open` is on the way: nothing was lost for a moment even.
    assert.equal(connection.state, "open");
    network.socket().open({ resumed: true });
    assert.equal(connection.state, "open");
  });

  it("ends the first carrier, which was replaced, when the second one fails", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.page("online");
    await settle();
    network.sockets[0]!.drop(4409, "replaced");
    network.socket().drop(1006, "");
    assert.equal(connection.state, "reconnecting");
  });

  it("drops the first carrier when the second one has no `open` in 2.5 s", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    await network.advance(5000);
    network.page("offline");
    assert.equal(connection.state, "open");
    await network.advance(2500);
    assert.equal(connection.state, "offline");
    assert.equal(network.sockets[0]!.isClosed, true);
    await network.advance(0);
    assert.equal(network.sockets.length, 3);
  });

  for (const [what, hear] of [
    ["a message", (network: Network) => network.sockets[0]!.hear("mA")],
    ["a heartbeat", (network: Network) => network.sockets[0]!.hear("h")],
    ["an acknowledgement", (network: Network) => network.sockets[0]!.hear("a0")],
  ] as const) {
    it(`keeps the first carrier when ${what} has arrived on it since the second one started`, async () => {
      const network = new Network();
      const connection = await network.opened("websocket");
      for (let time = 0; time < 3; time++) {
        await network.advance(5000);
        network.page("online");
        await network.advance(100);
        hear(network);
        await network.advance(2400);
        assert.equal(network.socket().isClosed, true, "the second is given up");
        assert.equal(connection.state, "open");
        assert.equal(network.sockets[0]!.isClosed, false);
      }
    });
  }

  it("keeps a stream or poll on which bytes of a message arrive", async () => {
    for (const kind of ["sse", "poll"] as const) {
      const network = new Network();
      const connection = await network.opened(kind);
      const get = network.get();
      if (kind === "poll") get.open({ resumed: true });
      await network.advance(5000);
      network.page("online");
      await network.advance(100);
      get.push("data: x");
      await network.advance(2400);
      assert.equal(connection.state, "open", kind);
      assert.equal(get.isAborted, false, kind);
      const gets = network.count("GET");
      get.push("y\n\n");
      if (kind === "poll") get.finish();
      await settle();
      assert.equal(network.count("GET") - gets, kind === "poll" ? 1 : 0, "it goes on");
    }
  });

  it("starts a carrier for a page that wakes only if a heartbeat was missed", async () => {
    const network = new Network();
    await network.opened("websocket");
    await network.advance(10_000);
    network.page("awake");
    await settle();
    assert.equal(network.sockets.length, 1);
    await network.advance(15_000);
    network.page("awake");
    await settle();
    assert.equal(network.sockets.length, 2);
  });

  it("tries again without a pause when the attempt fails that was under way while the page woke up", async () => {
    const network = new Network();
    await network.opened("websocket", { carriers: ["websocket"] });
    for (const pause of [0, 500, 1000, 2000]) {
      network.socket().drop();
      await network.advance(pause);
    }
    assert.equal(network.sockets.length, 4);
    network.page("awake");
    await settle();
    assert.equal(network.sockets.length, 4, "the attempt may still succeed");
    network.socket().drop();
    await network.advance(0);
    assert.equal(network.sockets.length, 5);
    network.socket().drop();
    await network.advance(249);
    assert.equal(network.sockets.length, 5, "only the first one has no pause");
    await network.advance(1);
    assert.equal(network.sockets.length, 6);
  });

  it("is not watched after close", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    connection.close();
    assert.equal(network.isWatched, false);
    assert.equal(network.clock.pending, 0);
  });
});
