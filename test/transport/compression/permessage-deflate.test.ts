// RFC 7692 §6 and §7.2: a WebSocketConnection with its compression, frames in and frames out.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from "node:zlib";
import fc from "fast-check";
import type { DeflateParameters } from "../../../src/codec/ws-extensions.ts";
import { encodeMaskedFrame, FIN, FrameDecoder, OPCODE, RSV1 } from "../../../src/codec/ws-frame.ts";
import { SERVER_SIDE, type WebSocketClosed, WebSocketConnection } from "../../../src/protocol/websocket.ts";
import { type CompressOptions, toCompressSettings } from "../../../src/transport/compression/deflate.ts";
import { PermessageDeflate } from "../../../src/transport/compression/permessage-deflate.ts";
import { bytesOf } from "../../support/cut.ts";
import { hex, toHex } from "../../support/hex.ts";
import { text } from "../../support/pieces.ts";

const { CONTINUATION, TEXT, BINARY, CLOSE, PING } = OPCODE;
const KEY = hex("37fa213d");

/** An agreement with context takeover on both sides and the largest windows. */
const TAKEOVER: DeflateParameters = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
};
const APART: DeflateParameters = { ...TAKEOVER, serverNoContextTakeover: true, clientNoContextTakeover: true };

function connect(
  parameters: DeflateParameters,
  options: CompressOptions = {},
  maxMessageBytes = 1 << 20,
): WebSocketConnection {
  const settings = toCompressSettings(
    { thresholdBytes: 0, ...options },
    { contextTakeover: !parameters.serverNoContextTakeover },
  );
  return new WebSocketConnection(SERVER_SIDE, {
    maxMessageBytes,
    maxFragments: 64,
    compression: new PermessageDeflate(parameters, settings),
  });
}

/** A client's frame; `rsv1` is §6's bit. */
function frame(opcode: number, payload: Uint8Array, { fin = true, rsv1 = false } = {}): Uint8Array {
  return encodeMaskedFrame(opcode, payload, KEY, (fin ? FIN : 0) | (rsv1 ? RSV1 : 0));
}

/** All messages that come out, texts as strings and bytes as hex, and how it ended if it did. */
function received(connection: WebSocketConnection, ...frames: Uint8Array[]): unknown[] {
  for (const bytes of frames) connection.receive(bytes);
  const seen: unknown[] = [];
  for (let event = connection.next(); event !== undefined; event = connection.next()) {
    if (event.type === "closed") seen.push(ended(event));
    else seen.push(typeof event.data === "string" ? event.data : toHex(event.data));
  }
  return seen;
}

function ended({ by, code, error }: WebSocketClosed): string {
  return `closed by ${by} ${code} ${error?.code ?? ""}`;
}

/** Frames that the server sent. */
function sent(connection: WebSocketConnection): { opcode: number; rsv1: boolean; payload: string }[] {
  const decoder = new FrameDecoder({ masked: false, allowRsv1: true });
  decoder.push(bytesOf(text(connection.takeOutput())));
  const frames: { opcode: number; rsv1: boolean; payload: string }[] = [];
  for (let part = decoder.next(); part !== undefined; part = decoder.next()) {
    assert.ok(part.first && part.last && part.fin);
    frames.push({ opcode: part.opcode, rsv1: part.rsv1, payload: toHex(part.bytes.subarray(part.start, part.end)) });
  }
  return frames;
}

describe("permessage-deflate: the examples of RFC 7692 §7.2.3", () => {
  it("§7.2.3.1 a message compressed using one DEFLATE block", () => {
    // The frame as it is printed there, masked.
    const connection = connect(APART);
    assert.deepEqual(received(connection, frame(TEXT, hex("f248cdc9c90700"), { rsv1: true })), ["Hello"]);
    // "Hello" does not get smaller: what is sent is the plain frame. Of a longer one the payload is compressed alike.
    connection.sendText("Hello");
    assert.equal(toHex(bytesOf(text(connection.takeOutput()))), "810548656c6c6f");
    connection.sendText("HelloHelloHello");
    assert.equal(toHex(bytesOf(text(connection.takeOutput()))), "c10af248cdc9c9f780130000"); // then 10 bytes from 5 back
  });

  it("§7.2.3.1 the same in two fragments", () => {
    const frames = [
      frame(TEXT, hex("f248cd"), { fin: false, rsv1: true }),
      frame(CONTINUATION, hex("c9c90700"), { fin: true }),
    ];
    assert.deepEqual(received(connect(APART), ...frames), ["Hello"]);
  });

  it("§7.2.3.2 sharing the LZ77 sliding window", () => {
    const payloads = ["f248cdc9c90700", "f248cdc9c90700", "f200110000"];
    const frames = (): Uint8Array[] => payloads.map((payload) => frame(TEXT, hex(payload), { rsv1: true }));
    assert.deepEqual(received(connect(TAKEOVER), ...frames()), ["Hello", "Hello", "Hello"]);
    // Without context takeover the third refers to bytes that are not there.
    assert.deepEqual(received(connect(APART), ...frames()), ["Hello", "Hello", "closed by server 1007 BAD_DEFLATE"]);
  });

  it("§7.2.3.2 and the server's own", () => {
    const connection = connect(TAKEOVER);
    const hello = "Hello".repeat(4);
    connection.sendText(hello);
    connection.sendText(hello);
    const [first, second] = sent(connection);
    assert.ok(first!.rsv1 && second!.rsv1);
    assert.ok(second!.payload.length < first!.payload.length);
  });

  it("§7.2.3.3 a DEFLATE block with no compression", () => {
    const payload = hex("000500faff48656c6c6f00");
    assert.deepEqual(received(connect(APART), frame(TEXT, payload, { rsv1: true })), ["Hello"]);
  });

  it("§7.2.3.4 a DEFLATE block with BFINAL set to 1", () => {
    const payload = hex("f348cdc9c9070000");
    assert.deepEqual(received(connect(APART), frame(TEXT, payload, { rsv1: true })), ["Hello"]);
    // The window outlives the block.
    const then = frame(TEXT, hex("f200110000"), { rsv1: true });
    assert.deepEqual(received(connect(TAKEOVER), frame(TEXT, payload, { rsv1: true }), then), ["Hello", "Hello"]);
  });

  it("§7.2.3.5 two DEFLATE blocks in one message", () => {
    const payload = hex("f248050000 00ffffcac9c90700");
    assert.deepEqual(received(connect(APART), frame(TEXT, payload, { rsv1: true })), ["Hello"]);
  });

  it("§7.2.3.6 an empty fragment, and an empty message", () => {
    const fragments = [
      frame(TEXT, hex("f248cdc9c907000000ffff"), { fin: false, rsv1: true }),
      frame(CONTINUATION, hex("00")),
    ];
    assert.deepEqual(received(connect(APART), ...fragments), ["Hello"]);
    assert.deepEqual(received(connect(APART), frame(TEXT, hex("00"), { rsv1: true })), [""]);
    assert.deepEqual(received(connect(APART), frame(BINARY, hex("00"), { rsv1: true })), [""]);
  });
});

describe("permessage-deflate: receiving, RFC 7692 §6.2 and §7.2.2", () => {
  const hello = hex("f248cdc9c90700");

  it("§6.2 takes plain messages as well, which leave the window alone", () => {
    const frames = [
      frame(TEXT, hello, { rsv1: true }),
      frame(TEXT, Buffer.from("plain")),
      frame(BINARY, hex("f200110000"), { rsv1: true }),
    ];
    assert.deepEqual(received(connect(TAKEOVER), ...frames), ["Hello", "plain", toHex(Buffer.from("Hello"))]);
  });

  it("§6.2 lets control frames, never compressed, come between fragments", () => {
    const connection = connect(APART);
    const frames = [
      frame(TEXT, hello.subarray(0, 2), { fin: false, rsv1: true }),
      frame(PING, Buffer.from("p")),
      frame(CONTINUATION, hello.subarray(2)),
    ];
    assert.deepEqual(received(connection, ...frames), [toHex(Buffer.from("p")), "Hello"]);
    assert.deepEqual(sent(connection), [{ opcode: OPCODE.PONG, rsv1: false, payload: "70" }]);
  });

  it("§6.1 refuses RSV1 on control frames and continuations with 1002", () => {
    const control = frame(PING, hello, { rsv1: true });
    assert.deepEqual(received(connect(APART), control), ["closed by server 1002 BAD_FRAME"]);
    const first = frame(TEXT, hello, { fin: false, rsv1: true });
    const second = frame(CONTINUATION, hello, { rsv1: true });
    assert.deepEqual(received(connect(APART), first, second), ["closed by server 1002 BAD_FRAME"]);
  });

  it("refuses RSV1 with 1002 where nothing was agreed on", () => {
    const connection = new WebSocketConnection(SERVER_SIDE, { maxMessageBytes: 1000, maxFragments: 4 });
    assert.deepEqual(received(connection, frame(TEXT, hello, { rsv1: true })), ["closed by server 1002 BAD_FRAME"]);
  });

  it("fails the connection with 1007 for what cannot be inflated, and says so in a close frame", () => {
    const connection = connect(APART);
    assert.deepEqual(received(connection, frame(TEXT, hex("06"), { rsv1: true })), [
      "closed by server 1007 BAD_DEFLATE",
    ]);
    assert.deepEqual(sent(connection), [{ opcode: CLOSE, rsv1: false, payload: "03ef" }]);
  });

  it("fails it with 1007 for a text that is no UTF-8 once it is inflated", () => {
    const payload = hex("000200fdff c328 00");
    assert.deepEqual(received(connect(APART), frame(TEXT, payload, { rsv1: true })), [
      "closed by server 1007 BAD_UTF8",
    ]);
    assert.deepEqual(received(connect(APART), frame(BINARY, payload, { rsv1: true })), ["c328"]);
  });

  it("fails it with 1009 for more than maxMessageBytes, as sent or inflated", () => {
    const payload = hex("000500faff48656c6c6f00");
    const limited = (limit: number, bytes: Uint8Array): unknown[] =>
      received(connect(APART, {}, limit), frame(TEXT, bytes, { rsv1: true }));
    assert.deepEqual(limited(11, payload), ["Hello"]);
    assert.deepEqual(limited(10, payload), ["closed by server 1009 MESSAGE_TOO_BIG"]);
    assert.deepEqual(limited(7, hello), ["Hello"]);
    const zeroes = hex("6260a03d0000"); // a hundred of them
    assert.deepEqual(limited(100, zeroes), ["\0".repeat(100)]);
    assert.deepEqual(limited(99, zeroes), ["closed by server 1009 MESSAGE_TOO_BIG"]);
  });

  it("inflates nothing after its own close frame", () => {
    const connection = connect(APART);
    connection.close(1000, "");
    assert.deepEqual(received(connection, frame(TEXT, hex("06"), { rsv1: true }), frame(CLOSE, hex("03e8"))), [
      "closed by server 1000 ",
    ]);
  });
});

describe("permessage-deflate: sending, RFC 7692 §6.1 and §7.2.1", () => {
  it("sets RSV1 on compressed messages alone", () => {
    const connection = connect(APART, { thresholdBytes: 100 });
    const long = "a".repeat(100);
    connection.sendText(long);
    connection.sendText("a".repeat(99));
    connection.sendBinary(Buffer.from(long));
    connection.sendBinary(randomBytes(100));
    connection.ping(Buffer.from("a"));
    connection.sendFragment(TEXT, Buffer.from(long), FIN);
    connection.close(1000, "");
    assert.deepEqual(
      sent(connection).map(({ opcode, rsv1 }) => [opcode, rsv1]),
      [
        [TEXT, true],
        [TEXT, false],
        [BINARY, true],
        [BINARY, false],
        [PING, false],
        [TEXT, false],
        [CLOSE, false],
      ],
    );
  });

  it("compresses by default from 1024 bytes of UTF-8, and all that gets smaller where context is taken over", () => {
    const isCompressed = (options: CompressOptions, parameters: DeflateParameters, data: string): boolean => {
      const settings = toCompressSettings(options, { contextTakeover: false });
      return new PermessageDeflate(parameters, settings).deflate(data) !== undefined;
    };
    assert.equal(isCompressed({}, APART, "a".repeat(1024)), true);
    assert.equal(isCompressed({}, APART, "a".repeat(1023)), false);
    assert.equal(isCompressed({}, APART, "é".repeat(512)), true);
    assert.equal(isCompressed({ contextTakeover: true }, TAKEOVER, "a".repeat(30)), true);
    // The client wants none of the server's context: then the size counts again.
    assert.equal(isCompressed({ contextTakeover: true }, APART, "a".repeat(30)), false);
    assert.equal(isCompressed({ contextTakeover: true, thresholdBytes: 40 }, TAKEOVER, "a".repeat(30)), false);
  });

  it("sends the same bytes to all members of a group", () => {
    const one = connect(APART);
    const other = connect(APART);
    const message = JSON.stringify(Array(500).fill("news"));
    one.sendText(message);
    other.sendText(message);
    const pieces = [one, other].map((connection) => connection.takeOutput());
    assert.deepEqual(pieces[0], pieces[1]);
  });

  it("compresses a text once for all connections that send it in one turn, without context takeover", () => {
    const settings = toCompressSettings({ thresholdBytes: 0 }, { contextTakeover: false });
    const text = "news ".repeat(50);
    const payloads = [APART, APART, TAKEOVER, { ...APART, serverMaxWindowBits: 9 }].map((parameters) =>
      new PermessageDeflate(parameters, settings).deflate(text),
    );
    // A payload that was compressed anew is in memory of its own; several may be in one ArrayBuffer of Node's pool.
    const [first, second, ...others] = payloads;
    const isSameMemory = (payload: Uint8Array | undefined): boolean =>
      payload?.buffer === first?.buffer && payload?.byteOffset === first?.byteOffset;
    assert.equal(isSameMemory(second), true);
    assert.deepEqual(others.map(isSameMemory), [false, false]);
  });

  it("sends bytes as they are at each send, although the sender changes them between two", () => {
    const connection = connect(APART);
    const bytes = Buffer.alloc(100, "a");
    connection.sendBinary(bytes);
    bytes.fill("b");
    connection.sendBinary(bytes);
    const inflate = new PermessageDeflate(APART, toCompressSettings(true, { contextTakeover: false }));
    const messages = sent(connection).map(({ payload }) => inflate.inflate(hex(payload), 100));
    assert.deepEqual(messages.map(String), ["a".repeat(100), "b".repeat(100)]);
  });
});

/** A client as zlib's own streams make it: the judge of both directions. */
class StreamClient {
  readonly #deflate: DeflateRaw;
  readonly #inflate: InflateRaw;
  readonly #isApart: boolean;

  constructor({ clientMaxWindowBits, serverMaxWindowBits, clientNoContextTakeover }: DeflateParameters) {
    this.#deflate = createDeflateRaw({ windowBits: clientMaxWindowBits, memLevel: 9, level: 9 });
    this.#inflate = createInflateRaw({ windowBits: serverMaxWindowBits });
    this.#isApart = clientNoContextTakeover;
  }

  async compressed(bytes: Uint8Array): Promise<Uint8Array> {
    this.#deflate.write(bytes);
    const blocks = await flushed(this.#deflate);
    if (this.#isApart) this.#deflate.reset();
    return blocks.subarray(0, -4);
  }

  async inflated(payload: Uint8Array): Promise<Uint8Array> {
    this.#inflate.write(payload);
    this.#inflate.write(hex("0000ffff"));
    return flushed(this.#inflate);
  }

  close(): void {
    this.#deflate.close();
    this.#inflate.close();
  }
}

function flushed(stream: DeflateRaw | InflateRaw): Promise<Buffer> {
  return new Promise((resolve) => {
    stream.flush(constants.Z_SYNC_FLUSH, () => resolve(stream.read() ?? Buffer.alloc(0)));
  });
}

describe("permessage-deflate: properties", () => {
  const messageArbitrary = fc.oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 300 }),
    fc.lorem({ mode: "sentences", maxCount: 8 }),
    fc.uint8Array({ minLength: 1, maxLength: 300 }),
    fc
      .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 300 }))
      .map(([part, times]) => Uint8Array.from(Buffer.alloc(part.length * times, part))),
  );
  const bitsArbitrary = fc.integer({ min: 9, max: 15 });

  it("each side reads the other's messages, for every window, with and without takeover, fragmented or not", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(messageArbitrary, fc.array(fc.nat(200), { maxLength: 3 })), { minLength: 1, maxLength: 12 }),
        fc.record({
          serverNoContextTakeover: fc.boolean(),
          clientNoContextTakeover: fc.boolean(),
          serverMaxWindowBits: fc.oneof(bitsArbitrary, fc.constant(8)),
          clientMaxWindowBits: bitsArbitrary,
        }),
        fc.integer({ min: 1, max: 9 }),
        async (messages, parameters, level) => {
          const connection = connect(parameters, { level });
          const client = new StreamClient(parameters);
          for (const [message, places] of messages) {
            const bytes = typeof message === "string" ? Buffer.from(message) : message;
            const plain = typeof message === "string" ? Buffer.from(message).toString() : toHex(message);
            const opcode = typeof message === "string" ? TEXT : BINARY;
            // To the server…
            const payload = await client.compressed(bytes);
            const cuts = [0, ...places.map((at) => at % (payload.length + 1)).sort((a, b) => a - b), payload.length];
            const frames = cuts.slice(1).map((end, i) =>
              frame(i === 0 ? opcode : CONTINUATION, payload.slice(cuts[i], end), {
                fin: i === cuts.length - 2,
                rsv1: i === 0,
              }),
            );
            assert.deepEqual(received(connection, ...frames), [plain]);
            // …and back.
            if (typeof message === "string") connection.sendText(message);
            else connection.sendBinary(message);
            for (const { rsv1, payload } of sent(connection)) {
              const back = rsv1 ? await client.inflated(hex(payload)) : hex(payload);
              assert.equal(toHex(back), toHex(bytes));
            }
          }
          client.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
