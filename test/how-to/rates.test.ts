// The programs of the guide to rates, as they are printed.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connect } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { textFrame, WsClient } from "../support/ws-client.ts";
import { blocks, program, run } from "./programs.ts";

const PAGE = "rates";

async function serverOf(t: TestContext, mark: string): Promise<Server> {
  const { server } = (await run(t, program(PAGE, mark))) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

function flood(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => textFrame(`${i + 1}`)));
}

describe("the guide to rates", () => {
  it("makes a session wait, which loses nothing", async (t) => {
    const server = await serverOf(t, "rateBurstMs");
    const connection = connect(`${server.url}/chat`, { carriers: ["sse"] });
    t.after(() => connection.close());
    const got: unknown[] = [];
    connection.onMessage((message) => got.push(message));
    const sent = Array.from({ length: 60 }, (_, i) => `${i}`);
    for (const message of sent) connection.send(message);
    await until(() => got.length === 60, "all answers have come");
    assert.deepEqual(
      got,
      sent.map((message) => `you said ${message}`),
    );
    assert.ok(server.stats().rateExceeded.wait > 0);
  });

  it("drops the messages of a channel, and tells the client", async (t) => {
    t.mock.method(console, "log", () => {});
    const server = await serverOf(t, "rateBurstMs");
    const client = await WsClient.open(t, { port: server.port });
    client.raw.write(flood(10_000));
    const told = String(await client.message());
    assert.match(told, /^too fast: \d+ were dropped$/);
    assert.ok(Number(told.split(" ")[2]) > 1000, told);
  });

  it("closes the channels of an address that sends too much together", async (t) => {
    const server = await serverOf(t, "PerAddress");
    const clients = [await WsClient.open(t, { port: server.port }), await WsClient.open(t, { port: server.port })];
    // The address of a trusted proxy is not counted.
    clients[0]!.raw.write(flood(1000));
    for (let i = 1; i <= 1000; i++) assert.equal(await clients[0]!.message(), `${i}`);
    const fields = ["X-Forwarded-For: 203.0.113.1"];
    const [a, b] = [
      await WsClient.open(t, { port: server.port }, { fields }),
      await WsClient.open(t, { port: server.port }, { fields }),
    ];
    a.raw.write(flood(100));
    for (let i = 1; i <= 100; i++) assert.equal(await a.message(), `${i}`);
    b.raw.write(flood(5000));
    for (;;) {
      const { opcode, payload } = await b.frame();
      if (opcode !== 8) continue;
      assert.match(String(payload.subarray(2)), /maxMessagesPerSecondPerAddress is 200$/);
      break;
    }
  });

  it("prints the counts, and has no program that is not run here", async (t) => {
    const server = await serverOf(t, "stats()");
    assert.deepEqual(server.stats().rateExceeded, { close: 0, drop: 0, wait: 0 });
    assert.equal(blocks(PAGE, "ts").length, 3);
  });
});
