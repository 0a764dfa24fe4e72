// The time that the application's own `params` and `headers` take is not the network's.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Network, settle } from "./network.ts";

/** `params` that are there `ms` after each request for them. */
function slow(network: Network, ms: number): () => Promise<Record<string, string>> {
  return () => new Promise((resolve) => network.clock.setTimer(() => resolve({ ticket: "1" }), ms));
}

describe("Parameters that take 3 s", () => {
  it("start no stream beside a WebSocket that was not asked for yet", async () => {
    const network = new Network();
    const connection = network.connect({ params: slow(network, 3000) });
    await network.advance(2999);
    assert.equal(network.sockets.length + network.requests.length, 0);
    await network.advance(1);
    assert.equal(network.sockets.length, 1);
    await network.advance(2499);
    network.socket().open();
    assert.equal(connection.transport, "websocket");
    await network.advance(60_000);
    assert.equal(network.requests.length, 0);
  });

  it("do not bring a lost connection down to another carrier", async () => {
    const network = new Network();
    const connection = network.connect({ params: slow(network, 3000) });
    await network.advance(3000);
    network.socket().open();
    for (let time = 0; time < 3; time++) {
      await network.advance(6000);
      network.socket().drop();
      await network.advance(5000);
      assert.equal(network.sockets.length, time + 2);
      network.socket().open({ resumed: true });
      assert.equal(connection.transport, "websocket");
    }
    assert.equal(network.requests.length, 0);
  });

  it("do not keep a connection from going back to a better carrier", async () => {
    const network = new Network();
    const connection = network.connect({ params: slow(network, 3000) });
    await network.advance(3000);
    network.socket().drop();
    await network.advance(3000);
    network.get().open();
    await settle();
    assert.equal(connection.transport, "sse");
    await network.advance(33_000);
    await network.advance(2000);
    network.socket().open({ resumed: true });
    assert.equal(connection.transport, "websocket");
  });

  it("do not make a probe of the network end what works", async () => {
    const network = new Network();
    const connection = network.connect({ params: slow(network, 3000) });
    await network.advance(3000);
    const socket = network.socket().open() ?? network.socket();
    await network.advance(5000);
    network.page("online");
    await network.advance(2600);
    assert.equal(socket.isClosed, false);
    assert.equal(connection.state, "open");
    await network.advance(400);
    network.socket().open({ resumed: true });
    assert.equal(connection.state, "open");
    assert.equal(network.sockets.length, 2);
  });
});

describe("Parameters that never come", () => {
  it("are a failed attempt after a minute, which `onError` hears of, and are asked for again", async () => {
    const network = new Network();
    let asked = 0;
    const connection = network.connect({
      params: () => {
        asked += 1;
        return new Promise<never>(() => {});
      },
    });
    const errors: string[] = [];
    connection.onError((error) => errors.push((error as Error).message));
    await network.advance(59_999);
    assert.equal(asked, 1);
    await network.advance(1);
    await network.advance(120_000);
    assert.ok(asked >= 3, `${asked}`);
    assert.match(errors[0]!, /websocket: timed out/);
    assert.equal(network.sockets.length + network.requests.length, 0);
    connection.close();
    assert.equal(network.clock.pending, 0);
  });
});

describe("Headers of a POST that come when another session has begun", () => {
  it("carry the old records to the old session alone", async () => {
    const network = new Network();
    const answers: ((headers: Record<string, string>) => void)[] = [];
    const connection = network.connect({
      carriers: ["poll"],
      headers: () => new Promise((resolve) => answers.push(resolve)),
    });
    await settle();
    answers.shift()!({});
    await settle();
    network.get().open().finish();
    await settle();
    answers.shift()!({});
    await settle();
    const poll = network.get();
    connection.send("old");
    await settle();
    const post = answers.shift()!;
    poll.open({ session: "T2" }).finish();
    await settle();
    post({});
    await settle();
    assert.equal(network.post().url.searchParams.get("session"), "T1");
    assert.equal(network.post().body, "data: old\n\n");
  });
});
