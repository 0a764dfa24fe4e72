// A loop over a connection that is behind holds the server back, and loses nothing.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Network, settle } from "./network.ts";

const ack = (messages: (string | Uint8Array)[]): (string | Uint8Array)[] =>
  messages.filter((message) => message[0] === "a");

describe("A loop over a connection", () => {
  it("a loop with 64 waiting messages, or 256 KiB, acknowledges nothing until it has caught up", async () => {
    for (const [count, size] of [
      [70, 1],
      [5, 60_000],
    ] as const) {
      const network = new Network();
      const connection = await network.opened("websocket");
      const loop = connection[Symbol.asyncIterator]();
      await settle();
      network.socket().taken();
      for (let id = 0; id < count; id++) network.socket().hear(`m${"x".repeat(size)}`);
      const before = ack(network.socket().taken());
      for (let id = 0; id < 40; id++) network.socket().hear("mmore");
      await network.advance(5000);
      assert.deepEqual(ack(network.socket().taken()), [], "nothing new is acknowledged");
      assert.ok(before.length > 0, "before that it was");
      for (let id = 0; id < count + 40; id++) assert.equal((await loop.next()).done, false);
      await settle();
      await network.advance(1000);
      assert.equal(ack(network.socket().taken()).at(-1), `a${count + 40}`);
    }
  });

  it("does not acknowledge with `after` either when the session is resumed, and delivers nothing twice", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const loop = connection[Symbol.asyncIterator]();
    await settle();
    for (let id = 1; id <= 100; id++) network.socket().hear(`m${id}`);
    const [said] = ack(network.socket().taken()).slice(-1) as string[];
    network.socket().drop();
    await network.advance(250);
    assert.equal(network.socket().query, `?session=T1&after=${said!.slice(1)}`);
    const first = Number(said!.slice(1)) + 1;
    network.socket().open({ resumed: true, first });
    for (let id = first; id <= 101; id++) network.socket().hear(`m${id}`);
    for (let id = 1; id <= 101; id++) assert.equal((await loop.next()).value, `${id}`);
  });

  it("a slow loop does not poll, but sends signs of life; then it polls again", async () => {
    const network = new Network();
    const connection = await network.opened("poll");
    const loop = connection[Symbol.asyncIterator]();
    await settle();
    const messages = Array.from({ length: 80 }, (_, id) => ({ type: "message", data: `${id}` }) as const);
    network
      .get()
      .open({ resumed: true })
      .say(...messages)
      .finish();
    await settle();
    const polls = network.count("GET");
    for (let heartbeat = 0; heartbeat < 4; heartbeat++) {
      await network.advance(25_000);
      assert.equal(network.post().body, "event: ack\ndata: 0\n\n");
      network.post().acknowledge(0);
      await settle();
    }
    assert.equal(network.count("GET"), polls);
    assert.equal(connection.state, "open");
    for (let id = 0; id < 80; id++) assert.equal((await loop.next()).value, `${id}`);
    await settle();
    assert.equal(network.count("GET"), polls + 1);
    assert.equal(network.get().query, "?mode=poll&session=T1&after=80");
  });

  it("a loop that has been left delays no other", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const loop = connection[Symbol.asyncIterator]();
    await settle();
    for (let id = 0; id < 100; id++) network.socket().hear(`m${id}`);
    network.socket().taken();
    await loop.return!();
    assert.equal(ack(network.socket().taken()).at(-1), "a100");
  });

  it("a slow loop still gets all messages when the server closes, and acknowledges them", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const loop = connection[Symbol.asyncIterator]();
    await settle();
    for (let id = 0; id < 100; id++) network.socket().hear(`m${id}`);
    network.socket().hear('c{"code":1000,"reason":""}');
    assert.equal(ack(network.socket().taken()).at(-1), "a101");
    for (let id = 0; id < 100; id++) assert.equal((await loop.next()).value, `${id}`);
    assert.equal((await loop.next()).done, true);
  });
});
