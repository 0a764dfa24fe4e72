import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientSession } from "../../src/client/client-session.ts";
import { endpointOf, type WebSocketConstructor } from "../../src/client/endpoint.ts";
import { startWebSocket } from "../../src/client/websocket-carrier.ts";
import type { OpenRecord } from "../../src/codec/session-record.ts";
import { until } from "../support/wait.ts";
import { Network, type PlayedSocket } from "./network.ts";

const OPEN: OpenRecord = {
  type: "open",
  session: "T",
  resumed: true,
  received: 1,
  first: 1,
  heartbeatMs: 25_000,
  resumeMs: 60_000,
};

/** The records of a carrier on a WebSocket whose `open` has one record, when `acknowledged` records are acknowledged by now. */
async function saidAfter(acknowledged: number): Promise<unknown[]> {
  const sent: unknown[] = [];
  let isMade = false;
  class Socket {
    constructor() {
      isMade = true;
    }
    send(data: unknown): void {
      sent.push(data);
    }
    close(): void {}
  }
  const endpoint = endpointOf("http://x/", { WebSocket: Socket as WebSocketConstructor });
  const told = { onStart() {}, onAlive() {}, onRecord() {}, onEnd() {} };
  const time = { now: () => 0, after: () => () => {}, delay: () => 0, random: () => 0 };
  const session = new ClientSession();
  const resumption = (): Record<string, string> => ({ session: "T", after: "0" });
  const carrier = startWebSocket({ endpoint, session, ...time, ...told, resumption });
  await until(() => isMade, "the WebSocket is made");
  for (const data of ["a", "b", "c"]) session.send({ type: "message", data });
  session.acknowledge(acknowledged);
  carrier.begin(OPEN);
  return sent;
}

describe("a session that moves to a WebSocket", () => {
  it("continues after the number in `open`", async () => {
    assert.deepEqual(await saidAfter(1), ["mb", "mc"]);
  });

  it("says from which number it goes on, where a POST was answered while the WebSocket opened (PROTOCOL.md, Numbers)", async () => {
    assert.deepEqual(await saidAfter(2), ["f3", "mc"]);
  });
});

describe("On a WebSocket at most 256 KiB, or one message, are sent and not acknowledged", () => {
  const KIB_64 = "x".repeat(65_535);

  it("further messages wait, and are sent with each acknowledgement; none is lost or reordered", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().taken();
    const messages = Array.from({ length: 12 }, (_, id) => String.fromCharCode(97 + id) + KIB_64);
    for (const message of messages) connection.send(message);
    const sent = network.socket().taken();
    assert.equal(sent.length, 4, "four times 64 KiB");
    for (let acknowledged = 1; acknowledged <= 12; acknowledged++) {
      network.socket().say({ type: "ack", received: acknowledged });
      sent.push(...network.socket().taken());
      assert.equal(sent.length, Math.min(acknowledged + 4, 12));
    }
    assert.deepEqual(
      sent,
      messages.map((message) => `m${message}`),
    );
    assert.equal(connection.bufferedAmount, 0);
  });

  it("a longer message goes alone", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().taken();
    connection.send("a");
    connection.send("b".repeat(600_000));
    connection.send("c");
    assert.deepEqual(network.socket().taken(), ["ma"]);
    network.socket().say({ type: "ack", received: 1 });
    assert.deepEqual(network.socket().taken(), [`m${"b".repeat(600_000)}`]);
    network.socket().say({ type: "ack", received: 2 });
    assert.deepEqual(network.socket().taken(), ["mc"]);
  });

  it("empty messages count 64 bytes each, as the server counts them", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().taken();
    for (let id = 0; id < 5000; id++) connection.send("");
    assert.equal(network.socket().taken().length, 4096);
    network.socket().say({ type: "ack", received: 4096 });
    assert.equal(network.socket().taken().length, 904);
  });

  it("acknowledgements and signs of life do not wait", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    connection.send("x".repeat(300_000));
    network.socket().taken();
    for (let id = 0; id < 16; id++) network.socket().hear("mA");
    assert.deepEqual(network.socket().taken(), ["a16"]);
    await network.advance(25_000);
    assert.deepEqual(network.socket().taken(), ["h"]);
  });

  it("unacknowledged messages are sent again on the next WebSocket, in order", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    for (let id = 0; id < 8; id++) connection.send(`${id}${KIB_64}`);
    network.socket().drop();
    await network.advance(1000);
    network.socket().open({ resumed: true, received: 2 });
    assert.deepEqual(
      network
        .socket()
        .taken()
        .map((message) => (message as string).slice(0, 3)),
      ["m2x", "m3x", "m4x", "m5x"],
    );
    network.socket().say({ type: "ack", received: 6 });
    assert.equal(network.socket().taken().length, 2);
  });

  it("`close` sends all messages at once, so that none is left", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    network.socket().taken();
    for (let id = 0; id < 8; id++) connection.send(KIB_64);
    connection.close();
    assert.equal(network.socket().taken().length, 9);
  });

  it("a WebSocket that takes no more bytes is given up, unless its buffer shrinks", async () => {
    for (const falls of [true, false]) {
      const network = new Network();
      const connection = await network.opened("websocket");
      const socket = network.socket() as PlayedSocket & { bufferedAmount: number };
      socket.bufferedAmount = 1_000_000;
      connection.send("x".repeat(1_000_000));
      for (let heartbeat = 1; heartbeat <= 6; heartbeat++) {
        if (falls) socket.bufferedAmount -= 1000;
        await network.advance(24_999);
        socket.hear("h");
        await network.advance(1);
      }
      assert.equal(connection.state, falls ? "open" : "reconnecting");
    }
  });
});
