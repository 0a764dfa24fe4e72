// Every limit, at its default: input just under it passes, and just over it is refused. Limits of time, and those that need a
// client that does not read, have their tests elsewhere; the table says where.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { encodeMaskedFrame, OPCODE } from "../../src/codec/ws-frame.ts";
import { type ServerLimits, withChannel } from "../../src/index.ts";
import { LIMITS } from "../../src/server/options.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { frame, WsClient } from "../support/ws-client.ts";

const MIB = 1024 * 1024;
const HOST = "Host: x\r\n";
const { TEXT, BINARY, CONTINUATION, PING } = OPCODE;

type Proof = (t: TestContext) => Promise<void>;

const PROOFS: Record<keyof ServerLimits, Proof | readonly string[]> = {
  maxHeaderBytes: (t) =>
    both(t, 431, (more) => `GET / HTTP/1.1\r\n${HOST}X: ${"x".repeat(16_384 - 14 + more)}\r\n\r\n`),
  maxHeaderCount: (t) => both(t, 431, (more) => `GET / HTTP/1.1\r\n${HOST}${"X: y\r\n".repeat(99 + more)}\r\n`),
  maxTargetBytes: (t) => both(t, 414, (more) => request(`GET /${"x".repeat(8191 + more)}`)),
  maxBodyBytes: async (t) => {
    await both(t, 413, (more) => {
      const head = request(`POST / HTTP/1.1\r\nContent-Length: ${8 * MIB + more}`);
      return more === 0 ? head + "x".repeat(8 * MIB) : head;
    });
    await both(t, 413, (more) => {
      const sizes = [4 * MIB, 4 * MIB + more];
      const chunks = sizes.map((size) => `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`);
      return request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", `${chunks.join("")}0\r\n\r\n`);
    });
  },
  maxMessageBytes: async (t) => {
    const site = await lengths(t);
    const client = await WsClient.open(t, site.target);
    client.raw.write(frame(BINARY, Buffer.alloc(4 * MIB)));
    assert.equal(await client.message(), `${4 * MIB}`);
    // Its header is enough.
    client.raw.write(encodeMaskedFrame(BINARY, new Uint8Array(4 * MIB + 1), new Uint8Array(4)).subarray(0, 14));
    assert.equal((await client.closed()).code, 1009);
  },
  maxFragments: async (t) => {
    const site = await lengths(t);
    const client = await WsClient.open(t, site.target);
    const message = (count: number): Uint8Array =>
      Buffer.concat(
        Array.from({ length: count }, (_, i) => frame(i === 0 ? TEXT : CONTINUATION, "x", i === count - 1)),
      );
    client.raw.write(message(1024));
    assert.equal(await client.message(), "1024");
    client.raw.write(message(1025));
    assert.equal((await client.closed()).code, 1008);
  },
  maxControlFramesPerSecond: async (t) => {
    const site = await lengths(t);
    const pings = (count: number): Uint8Array => Buffer.concat(Array.from({ length: count }, () => frame(PING)));
    const quick = await WsClient.open(t, site.target);
    quick.raw.write(pings(1000));
    for (let i = 0; i < 1000; i++) assert.equal(await quick.pong(), "");
    const flood = await WsClient.open(t, site.target);
    flood.raw.write(pings(20_000));
    await assert.rejects(flood.message(), /"code":1008/);
  },
  maxMessagesPerSecond: ["test/server/rates.test.ts"],
  maxBytesPerSecond: ["test/server/rates.test.ts"],
  maxMessagesPerSecondPerAddress: ["test/server/rates.test.ts"],
  maxBytesPerSecondPerAddress: ["test/server/rates.test.ts"],
  rateBurstMs: ["test/server/rates.test.ts"],
  maxBufferedBytes: ["test/channel/overflow.test.ts", "test/contract/pressure.ts"],
  maxTotalReceivedBytes: ["test/server/total-received.test.ts"],
  maxTotalBufferedBytes: ["test/channel/overflow.test.ts", "test/server/total-buffer.test.ts"],
  maxConnections: ["test/server/admission.test.ts"],
  maxConnectionsPerAddress: ["test/server/admission.test.ts"],
  maxSessions: ["test/server/session-limits.test.ts"],
  maxSessionsPerAddress: ["test/server/session-limits.test.ts"],
  tlsHandshakeTimeoutMs: ["test/server/admission.test.ts"],
  closeTimeoutMs: ["test/transport/http1/driver.test.ts", "test/transport/websocket/transport.test.ts"],
  writeTimeoutMs: ["test/server/net-stream.test.ts", "test/server/stalled.test.ts"],
  headerTimeoutMs: ["test/transport/tick.test.ts", "test/transport/io/proxy-listener.test.ts"],
  requestTimeoutMs: ["test/transport/tick.test.ts"],
  messageTimeoutMs: ["test/transport/websocket/transport.test.ts"],
  keepAliveTimeoutMs: ["test/transport/tick.test.ts"],
  pingIntervalMs: ["test/transport/tick.test.ts"],
  pongTimeoutMs: ["test/transport/tick.test.ts"],
};

/** A server that answers with the length of what it gets. */
function lengths(t: TestContext): Promise<Site> {
  return serving(t, async (r) => {
    if (!r.isWebSocket) return `${(await r.bytes()).length}`;
    return withChannel(r, (channel) => channel.onMessage((message) => void channel.send(`${message.length}`)));
  });
}

/** A request at the limit is served, one by one more is refused. */
async function both(t: TestContext, status: number, text: (more: 0 | 1) => string): Promise<void> {
  const site = await lengths(t);
  for (const [more, expected] of [
    [0, 200],
    [1, status],
  ] as const) {
    const client = await site.connect();
    client.write(text(more));
    assert.equal((await client.response()).status, expected);
    client.destroy();
  }
}

describe("each limit has a test from both sides:", () => {
  for (const name of Object.keys(LIMITS) as (keyof ServerLimits)[]) {
    const proof = PROOFS[name];
    if (typeof proof === "function") it(name, proof);
    else {
      it(`${name}, in ${proof.join(" and ")}`, () => {
        for (const file of proof) assert.match(readFileSync(file, "utf8"), new RegExp(`\\b${name}\\b`), file);
      });
    }
  }
});
