// Late requests of a client's own past (PROTOCOL.md, "Resuming a session", 2): what a client gave up may reach the server later, and
// replace what it is on. A connection ends only if another client has resumed its session.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Network, settle } from "./network.ts";

describe("An attempt has a number", () => {
  it("which grows by one with each request for the session, polls included, and not with POSTs", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    connection.send("x");
    await settle();
    network.post().acknowledge(1);
    for (let poll = 0; poll < 3; poll++) {
      network.get().open({ resumed: true }).push("data: x\n\n").finish();
      await settle();
    }
    const gets = network.requests.filter(({ method }) => method === "GET");
    const tries = [...network.sockets, ...gets].map(({ url }) => Number(url.searchParams.get("try")));
    assert.deepEqual(
      tries,
      tries.map((_, index) => index + 1),
    );
    assert.equal(network.post().url.searchParams.has("try"), false);
  });
});

describe("A connection goes on", () => {
  it("a connection survives abandoned WebSockets that arrive late and replace its current one", async () => {
    const network = new Network();
    const connection = await network.opened("websocket", { carriers: ["websocket"] });
    network.socket().drop();
    // Two attempts without an answer.
    for (let attempt = 0; attempt < 2; attempt++) {
      await network.advance(10_000);
      await network.advance(10_000);
    }
    const givenUp = network.sockets.filter((socket) => socket.isClosed).length - 1;
    assert.ok(givenUp >= 2, `${givenUp}`);
    for (let late = 0; late < givenUp; late++) {
      while (network.socket().isClosed) await network.advance(1000);
      network.socket().open({ resumed: true });
      network.socket().drop(4409, "replaced");
      assert.equal(connection.state, "reconnecting", `${late}`);
    }
    while (network.socket().isClosed) await network.advance(1000);
    network.socket().open({ resumed: true });
    network.socket().drop(4409, "replaced");
    assert.equal(connection.state, "closed", "no request of its own can have done it");
  });

  it("a connection survives a 409 to its parked poll that an abandoned request has caused", async () => {
    const network = new Network();
    const connection = network.connect({ carriers: ["poll"] });
    await settle();
    network.get().open().finish();
    await settle();
    network.get().fail();
    await network.advance(1000);
    const silent = network.get();
    assert.equal(silent.isAborted, false);
    await network.advance(10_000);
    assert.equal(silent.isAborted, true, "it is given up");
    await network.advance(1000);
    network.get().open({ resumed: true }).finish();
    await settle();
    assert.equal(connection.state, "open");
    network.get().respond(409).finish();
    await settle();
    assert.equal(connection.state, "reconnecting");
  });

  it("a connection survives a 409 to an attempt that is not its newest", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    await network.advance(30_000);
    const probe = network.socket();
    assert.equal(probe.isClosed, false, "the upgrade is under way");
    network.get().respond(409);
    probe.drop(1006);
    await settle();
    assert.notEqual(connection.state, "closed");
  });

  it("a connection survives a 409 to a POST, which says the next number of the server", async () => {
    const network = new Network();
    const connection = await network.opened("sse");
    connection.send("a");
    connection.send("b");
    await settle();
    network.post().acknowledge(1, 409);
    await settle();
    assert.equal(network.post().query, "?session=T1&from=2");
    assert.equal(connection.state, "open");
  });
});

describe("A connection ends with 4409", () => {
  for (const kind of ["sse", "poll"] as const) {
    it(`a 409 to the newest attempt ends a connection without abandoned attempts (${kind})`, async () => {
      const network = new Network();
      const connection = await network.opened(kind, { carriers: ["websocket", "sse", "poll"] });
      const closed: unknown[] = [];
      connection.onClose((close) => closed.push(close));
      if (kind === "sse") {
        network.get().finish();
        await settle();
        await network.advance(1000);
      }
      network.get().respond(409).finish();
      await settle();
      assert.deepEqual(closed, [{ by: "server", code: 4409, reason: "replaced", name: "application" }]);
      const requests = network.requests.length;
      await network.advance(600_000);
      assert.equal(network.requests.length, requests, "it does not fight");
    });
  }

  it("a carrier that is replaced before a probe has begun ends the connection, and no probe starts", async () => {
    const network = new Network();
    let asked = 0;
    // The second carrier waits for its headers, so its request has not been sent when the first one is replaced.
    const headers = (): Promise<Record<string, string>> =>
      asked++ === 0 ? Promise.resolve({}) : new Promise(() => {});
    const connection = await network.opened("websocket", { headers });
    network.page("online");
    await settle();
    network.socket().drop(4409, "replaced");
    assert.equal(connection.state, "open", "the second carrier may have the session");
    network.page("online");
    assert.equal(connection.state, "closed");
    await network.advance(60_000);
    assert.deepEqual([network.sockets.length, asked, network.clock.pending], [1, 2, 0]);
  });
});
