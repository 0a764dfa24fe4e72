// Frames that no client would send, in amounts that no client would send.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import { encodeMaskedFrame, FIN, OPCODE, RSV1 } from "../../src/codec/ws-frame.ts";
import { hex } from "../support/hex.ts";
import { frame, textFrame } from "../support/ws-client.ts";
import { besieged, type Siege } from "./siege.ts";

const MIB = 1 << 20;
const KEY = Uint8Array.of(1, 2, 3, 4);
const DEFLATE = ["Sec-WebSocket-Extensions: permessage-deflate"];

/** A compressed message of `length` zeroes: RFC 7692 §7.2.1. */
function bomb(length: number): Uint8Array {
  const payload = deflateRawSync(Buffer.alloc(length), { finishFlush: 2 }).subarray(0, -4);
  return encodeMaskedFrame(OPCODE.BINARY, payload, KEY, FIN | RSV1);
}

/** A masked frame's header: first byte, and the length in hex as it stands on the wire behind the mask bit. */
function head(first: number, lengthHex: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(first), hex(lengthHex), KEY]);
}

/** Sends the bytes to a WebSocket, which must be closed with `code`. */
async function fails(siege: Siege, bytes: Uint8Array, code: number, path = "/echo"): Promise<void> {
  const client = await siege.open(path, path.startsWith("/deflate") ? DEFLATE : []);
  client.raw.write(bytes);
  assert.equal((await client.closed()).code, code);
  await client.ended();
  client.raw.end();
}

/** A message in `count` fragments of one byte each. */
function crumbs(count: number): Uint8Array {
  const first = textFrame("a", false);
  const middle = frame(OPCODE.CONTINUATION, "a", false);
  const last = frame(OPCODE.CONTINUATION, "a");
  return Buffer.concat([first, ...Array<Uint8Array>(count - 2).fill(middle), last]);
}

describe("A WebSocket client that attacks", () => {
  const server = besieged({ server: { maxMessageBytes: MIB, closeTimeoutMs: 200 } });
  const lenient = besieged({ server: { maxFragments: 100_000, maxControlFramesPerSecond: 1_000_000_000 } });

  it("64 MiB of zeroes in 65 KB of DEFLATE get 1009, and are never inflated", async (t) => {
    const siege = await server.begin(t);
    const frame = bomb(64 * MIB);
    assert.ok(frame.length < 66_000);
    for (let times = 0; times < 5; times++) await fails(siege, frame, 1009, "/deflate");
    await siege.ended("/deflate message-too-big", 5);
    await siege.holds({ peakMiB: 24 });
  });

  it("200 bombs that are just small enough, in few reads, are all counted while others are served", async (t) => {
    const siege = await server.begin(t);
    const client = await siege.open("/deflate-count", DEFLATE);
    client.raw.write(Buffer.concat(Array<Uint8Array>(200).fill(bomb(MIB))));
    client.send("total");
    assert.equal(await client.message(), `200 ${200 * MIB}`);
    client.raw.destroy();
    // Garbage that waits for its collection: up to 75 MiB on Node 24, 40 MiB on Node 20 (test/transport/compression/deflate.test.ts).
    await siege.holds({ peakMiB: 128 });
  });

  it("100,000 fragments of one byte get 1008 at maxFragments", async (t) => {
    const siege = await server.begin(t);
    await fails(siege, crumbs(100_000), 1008);
    await siege.ended("/echo policy-violation", 1);
    await siege.holds({ peakMiB: 24 });
  });

  it("100,000 fragments of one byte are a message if the limit allows it", async (t) => {
    const siege = await lenient.begin(t);
    const client = await siege.open("/echo");
    client.raw.write(crumbs(100_000));
    assert.equal(await client.message(), "a".repeat(100_000));
    client.raw.destroy();
    await siege.holds();
  });

  it("a million empty fragments get 1008", async (t) => {
    const siege = await lenient.begin(t);
    const empty = Buffer.concat(Array<Uint8Array>(1_000_000).fill(frame(OPCODE.CONTINUATION, "", false)));
    await fails(siege, Buffer.concat([textFrame("", false), empty]), 1008);
    await siege.holds();
  });

  it("a length of 2^63-1 gets 1009, 2^63 and 2^64-1 get 1002, and no memory is allocated", async (t) => {
    const siege = await server.begin(t);
    for (const first of [0x81, 0x82, 0x01]) {
      await fails(siege, head(first, "ff 7fffffffffffffff"), 1009);
      await fails(siege, head(first, "ff 0020000000000000"), 1009);
      await fails(siege, head(first, "ff 8000000000000000"), 1002);
      await fails(siege, head(first, "ff ffffffffffffffff"), 1002);
    }
    await siege.ended("/echo message-too-big", 6);
    await siege.ended("/echo protocol-error", 6);
    await siege.holds({ peakMiB: 24 });
  });

  it("the largest allowed lengths on 100 connections, without payload, get no memory", async (t) => {
    const siege = await server.begin(t);
    const clients = await Promise.all(Array.from({ length: 100 }, () => siege.open("/echo")));
    for (const client of clients) client.raw.write(Buffer.concat([head(0x82, "ff 0000000000100000"), Buffer.alloc(9)]));
    await siege.when(({ stats }) => stats.channels.websocket === 101, "all are there");
    const { rssBytes } = await siege.facts();
    for (const client of clients) client.raw.reset();
    await siege.ended("/echo abnormal", 100);
    await siege.holds({ peakMiB: 32 });
    assert.ok(rssBytes < 400 * MIB);
  });

  it("invalid UTF-8 cut at every position over two frames, and two reads, gets 1007", async (t) => {
    const siege = await server.begin(t);
    for (const bad of ["ce ba ff", "e1 bd b9 ed a0 80", "f4 90 80 80", "c0 af", "e2 82", "f0 9f 98"]) {
      const bytes = hex(`48 c3 bc 20 ${bad} 2e`);
      for (let at = 0; at <= bytes.length; at++) {
        const two = [frame(OPCODE.TEXT, bytes.subarray(0, at), false), frame(OPCODE.CONTINUATION, bytes.subarray(at))];
        await fails(siege, Buffer.concat(two), 1007);
        const whole = frame(OPCODE.TEXT, bytes);
        const client = await siege.open("/echo");
        client.raw.write(whole.subarray(0, 6 + at));
        await new Promise(setImmediate);
        client.raw.write(whole.subarray(6 + at));
        assert.equal((await client.closed()).code, 1007);
        client.raw.reset();
      }
    }
    await siege.holds();
  });

  it("unmasked frames, reserved bits, reserved opcodes and long pings get 1002", async (t) => {
    const siege = await server.begin(t);
    const bad = [
      hex("81 02 68 69"),
      hex("89 00"),
      ...[0xc1, 0xa1, 0x91, 0xc9, 0xa8].map((first) => head(first, "80")),
      ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => head(0x80 | opcode, "80")),
      head(0x89, "fe 007e"),
      head(0x09, "80"),
      head(0x80, "80"),
    ];
    // Bytes behind the violation are never looked at, however many they are.
    const more = Buffer.alloc(MIB, 0x81);
    for (const bytes of bad) await fails(siege, Buffer.concat([bytes, more]), 1002);
    await siege.ended("/echo protocol-error", bad.length);
    await siege.holds();
  });

  it("50,000 pings, or pongs, get 1008 at maxControlFramesPerSecond", async (t) => {
    const siege = await server.begin(t);
    for (const opcode of [OPCODE.PING, OPCODE.PONG]) {
      const client = await siege.open("/echo");
      client.raw.write(Buffer.concat(Array<Uint8Array>(50_000).fill(frame(opcode, "again"))));
      let last = await client.frame();
      while (last.opcode === OPCODE.PONG) last = await client.frame();
      assert.deepEqual([last.opcode, last.payload.readUInt16BE()], [OPCODE.CLOSE, 1008]);
      await client.ended();
      client.raw.end();
    }
    await siege.ended("/echo policy-violation", 2);
    await siege.holds();
  });

  it("50,000 pings get 50,000 pongs, in order, if the limit allows it", async (t) => {
    const siege = await lenient.begin(t);
    const client = await siege.open("/echo");
    const ping = (i: number): Uint8Array => frame(OPCODE.PING, String(i).padStart(6, "0"));
    client.raw.write(Buffer.concat(Array.from({ length: 50_000 }, (_, i) => ping(i))));
    const pongs = await client.raw.take(50_000 * 8);
    const expected = Array.from({ length: 50_000 }, (_, i) => `\x8a\x06${String(i).padStart(6, "0")}`).join("");
    assert.ok(pongs.toString("latin1") === expected);
    client.raw.reset();
    await siege.holds();
  });

  it("a client that does not read the pongs of 32 MiB of pings gets the last pong when it reads again (§5.5.3)", async (t) => {
    const siege = await lenient.begin(t);
    const client = await siege.open("/echo");
    client.raw.pause();
    const pings = Buffer.concat(Array<Uint8Array>(1000).fill(frame(OPCODE.PING, "p".repeat(125))));
    for (let sent = 0; sent < 32 * MIB; sent += pings.length) {
      await new Promise((resolve) => client.raw.socket.write(pings, resolve));
    }
    client.ping("last");
    await siege.progress("the pings are read");
    await siege.holdsAtMost(4);
    client.raw.resume();
    await client.raw.until(() => client.raw.peek().includes("\x8a\x04last", 0, "latin1"), "the last pong");
    client.raw.reset();
    await siege.holds();
  });

  it("a client that never reads its echoes is closed at maxBufferedBytes", async (t) => {
    const siege = await server.begin(t);
    const client = await siege.open("/echo");
    client.raw.pause();
    const message = frame(OPCODE.BINARY, Buffer.alloc(65_536));
    for (let times = 0; times < 400 && !client.raw.isClosed; times++) client.raw.write(message);
    await siege.ended("/echo try-again-later", 1);
    await siege.holds({ peakMiB: 48, reports: /^send: unsent data exceeds maxBufferedBytes$/ });
  });
});
