import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ClientSession } from "../../src/client/client-session.ts";
import { Endpoint, type WebSocketConstructor } from "../../src/client/endpoint.ts";
import { startWebSocket } from "../../src/client/websocket-carrier.ts";
import type { OpenRecord } from "../../src/codec/session-record.ts";
import { until } from "../support/wait.ts";

const OPEN: OpenRecord = {
  type: "open",
  session: "T",
  resumed: true,
  received: 1,
  first: 1,
  heartbeatMs: 25_000,
  resumeMs: 60_000,
};

/** What a carrier says on a WebSocket whose `open` says that one record was there, when `acknowledged` are by now. */
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
  const endpoint = new Endpoint("http://x/", { WebSocket: Socket as WebSocketConstructor });
  const told = { onStart() {}, onAlive() {}, onRecord() {}, onEnd() {} };
  const time = { now: () => 0, after: () => () => {}, delay: () => 0 };
  const carrier = startWebSocket({ endpoint, ...time, ...told, resumption: () => ({ session: "T", after: "0" }) });
  await until(() => isMade, "the WebSocket is made");
  const session = new ClientSession();
  for (const data of ["a", "b", "c"]) session.send({ type: "message", data });
  session.acknowledge(acknowledged);
  carrier.begin(session, OPEN);
  return sent;
}

describe("a session that moves to a WebSocket", () => {
  it("goes on behind what open says is there", async () => {
    assert.deepEqual(await saidAfter(1), ["mb", "mc"]);
  });

  it("says from which number it goes on, where a POST was answered while the WebSocket opened (PROTOCOL.md, Numbers)", async () => {
    assert.deepEqual(await saidAfter(2), ["f3", "mc"]);
  });
});
