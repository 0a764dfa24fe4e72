import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChannelError } from "../../src/base/errors.ts";
import {
  encodeFrameHead,
  encodeMaskedFrame,
  FIN,
  FrameDecoder,
  type FrameOptions,
  OPCODE,
  RSV1,
} from "../../src/codec/ws-frame.ts";
import { cut, hex, toHex } from "../support/hex.ts";

const SERVER: FrameOptions = { masked: true, allowRsv1: false };
const CLIENT: FrameOptions = { masked: false, allowRsv1: false };
const KEY = hex("37fa213d");

interface Frame {
  opcode: number;
  fin: boolean;
  rsv1: boolean;
  payload: string;
}

/** All frames, their parts joined. Checks on the way what the parts say of themselves. */
function decode(chunks: readonly Uint8Array[], options: FrameOptions): Frame[] {
  const decoder = new FrameDecoder(options);
  const frames: Frame[] = [];
  let payload = "";
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let part = decoder.next(); part !== undefined; part = decoder.next()) {
      const bytes = part.bytes.subarray(part.start, part.end);
      assert.equal(part.first, payload === "");
      assert.equal(
        part.ascii,
        bytes.every((byte) => byte < 0x80),
      );
      if (part.opcode >= 8) assert.equal(part.first && part.last, true);
      payload += part.first ? `|${toHex(bytes)}` : toHex(bytes);
      if (!part.last) continue;
      assert.equal(payload.length, 1 + 2 * part.length);
      frames.push({ opcode: part.opcode, fin: part.fin, rsv1: part.rsv1, payload: payload.slice(1) });
      payload = "";
    }
  }
  return frames;
}

function refusal(bytes: string, options: FrameOptions): string {
  const decoder = new FrameDecoder(options);
  decoder.push(hex(bytes));
  try {
    while (decoder.next() !== undefined);
  } catch (error) {
    assert.ok(error instanceof ChannelError);
    assert.equal(error.code, "BAD_FRAME");
    assert.equal(error.closeCode, 1002);
    assert.equal(decoder.next(), undefined, "spent");
    decoder.push(hex("818537fa213d7f9f4d5158"));
    assert.equal(decoder.next(), undefined, "spent for good");
    return error.message;
  }
  return "accepted";
}

const text = (value: string): string => Buffer.from(value).toString("hex");

describe("FrameDecoder: the examples of RFC 6455 §5.7", () => {
  it("a single-frame unmasked text message", () => {
    assert.deepEqual(decode([hex("81 05 48656c6c6f")], CLIENT), [
      { opcode: 1, fin: true, rsv1: false, payload: text("Hello") },
    ]);
  });

  it("a single-frame masked text message", () => {
    assert.deepEqual(decode([hex("81 85 37fa213d 7f9f4d5158")], SERVER), [
      { opcode: 1, fin: true, rsv1: false, payload: text("Hello") },
    ]);
  });

  it("a fragmented unmasked text message", () => {
    assert.deepEqual(decode([hex("01 03 48656c  80 02 6c6f")], CLIENT), [
      { opcode: 1, fin: false, rsv1: false, payload: text("Hel") },
      { opcode: 0, fin: true, rsv1: false, payload: text("lo") },
    ]);
  });

  it("an unmasked ping and its masked pong", () => {
    assert.deepEqual(decode([hex("89 05 48656c6c6f")], CLIENT), [
      { opcode: 9, fin: true, rsv1: false, payload: text("Hello") },
    ]);
    assert.deepEqual(decode([hex("8a 85 37fa213d 7f9f4d5158")], SERVER), [
      { opcode: 10, fin: true, rsv1: false, payload: text("Hello") },
    ]);
  });

  it("256 bytes of binary in an unmasked frame", () => {
    const payload = "ab".repeat(256);
    assert.deepEqual(decode([hex(`82 7e 0100 ${payload}`)], CLIENT), [{ opcode: 2, fin: true, rsv1: false, payload }]);
  });

  it("64 KiB of binary in an unmasked frame", () => {
    const payload = "cd".repeat(65_536);
    const bytes = hex(`82 7f 0000000000010000 ${payload}`);
    assert.deepEqual(decode([bytes], CLIENT), [{ opcode: 2, fin: true, rsv1: false, payload }]);
  });
});

describe("FrameDecoder: what RFC 6455 §5 refuses", () => {
  const key = "37fa213d";
  const refused: [string, string, FrameOptions, RegExp][] = [
    ["§5.1: an unmasked frame from a client", "8105 48656c6c6f", SERVER, /must be masked/],
    ["§5.1: an unmasked empty frame from a client", "8100", SERVER, /must be masked/],
    ["§5.1: a masked frame from a server", `8185 ${key} 7f9f4d5158`, CLIENT, /must not be masked/],
    ["§5.2: RSV1", `c180 ${key}`, SERVER, /reserved bits/],
    ["§5.2: RSV2", `a180 ${key}`, SERVER, /reserved bits/],
    ["§5.2: RSV3", `9180 ${key}`, SERVER, /reserved bits/],
    ["§5.2: RSV2 even where RSV1 is allowed", `e180 ${key}`, { masked: true, allowRsv1: true }, /reserved bits/],
    ["RFC 7692 §6: RSV1 on a control frame", `c980 ${key}`, { masked: true, allowRsv1: true }, /reserved bits/],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): [string, string, FrameOptions, RegExp] => [
      `§5.2: the reserved opcode ${opcode}`,
      `8${opcode.toString(16)}80 ${key}`,
      SERVER,
      /opcode is reserved/,
    ]),
    ["§5.5: a fragmented close", `0880 ${key}`, SERVER, /fragmented/],
    ["§5.5: a fragmented ping", `0980 ${key}`, SERVER, /fragmented/],
    ["§5.5: a fragmented pong", `0a80 ${key}`, SERVER, /fragmented/],
    ["§5.5: a ping of 126 bytes", `89fe 007e ${key}`, SERVER, /at most 125/],
    ["§5.5: a close with a 64-bit length", `88ff 0000000000000001 ${key}`, SERVER, /at most 125/],
    ["§5.2: 0 in 16 bits", `81fe 0000 ${key}`, SERVER, /minimal/],
    ["§5.2: 125 in 16 bits", `81fe 007d ${key}`, SERVER, /minimal/],
    ["§5.2: 125 in 64 bits", `81ff 000000000000007d ${key}`, SERVER, /minimal/],
    ["§5.2: 65535 in 64 bits", `81ff 000000000000ffff ${key}`, SERVER, /minimal/],
    ["§5.2: a 64-bit length with its first bit set", `81ff 8000000000000000 ${key}`, SERVER, /first bit/],
    ["§5.2: a 64-bit length of ones", `82ff ffffffffffffffff ${key}`, SERVER, /first bit/],
  ];
  for (const [name, bytes, options, reason] of refused) {
    it(`refuses ${name}`, () => {
      assert.match(refusal(bytes, options), reason);
      assert.match(refusal((options.masked ? `8180 ${key}` : "8100") + bytes, options), reason);
    });
  }

  it("refuses as soon as the byte at fault is there", () => {
    assert.match(refusal("83", SERVER), /opcode/);
    assert.match(refusal("09", SERVER), /fragmented/);
    assert.match(refusal("8105", SERVER), /masked/);
    assert.match(refusal("81fe0001", SERVER), /minimal/);
  });

  it("keeps the frames that came before the one at fault", () => {
    const decoder = new FrameDecoder(SERVER);
    decoder.push(hex("8a80 37fa213d 83"));
    assert.equal(decoder.next()?.opcode, OPCODE.PONG);
    assert.throws(() => decoder.next(), { code: "BAD_FRAME" });
    assert.equal(decoder.next(), undefined);
  });
});

describe("FrameDecoder: lengths, RFC 6455 §5.2", () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_000]) {
    it(`reads ${length} bytes`, () => {
      const payload = new Uint8Array(length).fill(0x5a);
      const bytes = encodeMaskedFrame(OPCODE.BINARY, payload, KEY);
      assert.deepEqual(decode([bytes], SERVER), [{ opcode: 2, fin: true, rsv1: false, payload: toHex(payload) }]);
    });
  }

  const announced: [string, number][] = [
    ["82ff 0000000100000000 00000000", 0x1_0000_0000],
    ["82ff 001fffffffffffff 00000000", Number.MAX_SAFE_INTEGER],
    ["82ff 7fffffffffffffff 00000000", 2 ** 63],
  ];
  for (const [bytes, length] of announced) {
    it(`announces ${length} before any payload has come`, () => {
      const decoder = new FrameDecoder(SERVER);
      decoder.push(hex(bytes));
      const part = decoder.next();
      assert.deepEqual([part?.length, part?.first, part?.last, part?.start === part?.end], [length, true, false, true]);
      assert.equal(decoder.next(), undefined);
    });
  }
});

describe("FrameDecoder: parts", () => {
  it("returns the bytes of a partial data frame, unmasked in place", () => {
    const decoder = new FrameDecoder(SERVER);
    const chunk = hex("81 85 37fa213d 7f9f");
    decoder.push(chunk);
    const part = decoder.next()!;
    assert.equal(part.bytes, chunk);
    assert.deepEqual([part.first, part.last, part.start, part.end], [true, false, 6, 8]);
    assert.equal(toHex(chunk.subarray(6)), text("He"));
    assert.equal(decoder.next(), undefined);
    decoder.push(hex("4d5158"));
    const rest = decoder.next()!;
    assert.deepEqual([rest.first, rest.last, rest.opcode, rest.fin, rest.length], [false, true, 1, true, 5]);
    assert.equal(toHex(rest.bytes.subarray(rest.start, rest.end)), text("llo"));
    assert.equal(decoder.next(), undefined);
  });

  it("uses one object for all of them", () => {
    const decoder = new FrameDecoder(CLIENT);
    decoder.push(hex("8100 8900"));
    assert.equal(decoder.next(), decoder.next());
  });

  it("releases the bytes that it has read when it waits for more", () => {
    const decoder = new FrameDecoder(CLIENT);
    decoder.push(hex("8103616263"));
    const part = decoder.next()!;
    assert.equal(decoder.next(), undefined);
    assert.equal(part.bytes.length, 0);
  });

  it("reports of each part whether it is ASCII", () => {
    const decoder = new FrameDecoder(CLIENT);
    decoder.push(hex("8104 6161"));
    assert.equal(decoder.next()!.ascii, true);
    decoder.push(hex("c3a9"));
    assert.equal(decoder.next()!.ascii, false);
  });

  it("passes RSV1 on where it is allowed (RFC 7692 §6)", () => {
    const frames = decode([hex("c101 61 4101 61 8001 61")], { masked: false, allowRsv1: true });
    assert.deepEqual(
      frames.map((frame) => frame.rsv1),
      [true, true, false],
    );
  });

  it("keeps the order when several chunks are pushed before the first is read", () => {
    const decoder = new FrameDecoder(CLIENT);
    decoder.push(hex("8101 61 81"));
    decoder.push(hex("01 62"));
    decoder.push(new Uint8Array(0));
    const seen: string[] = [];
    const pull = (): void => {
      const part = decoder.next();
      if (part !== undefined) seen.push(toHex(part.bytes.subarray(part.start, part.end)));
    };
    pull();
    decoder.push(hex("8101 63"));
    pull();
    decoder.push(hex("8101 64"));
    for (let i = 0; i < 4; i++) pull();
    assert.deepEqual(seen, ["61", "62", "63", "64"]);
  });

  it("takes time in proportion to the bytes when they come one by one, read at once or later", () => {
    const frame = encodeMaskedFrame(OPCODE.BINARY, new Uint8Array(300_000).fill(7), KEY);
    for (const atOnce of [true, false]) {
      const decoder = new FrameDecoder(SERVER);
      let bytes = 0;
      const pull = (): void => {
        for (let part = decoder.next(); part !== undefined; part = decoder.next()) bytes += part.end - part.start;
      };
      const begun = performance.now();
      for (let i = 0; i < frame.length; i++) {
        decoder.push(frame.slice(i, i + 1));
        if (atOnce) pull();
      }
      pull();
      assert.equal(bytes, 300_000);
      // 0.1 s here; quadratic work would take minutes.
      assert.ok(performance.now() - begun < 10_000);
    }
  });
});

const frameArbitrary = fc.oneof(
  fc.record({
    opcode: fc.constantFrom(0, 1, 2),
    fin: fc.boolean(),
    rsv1: fc.boolean(),
    payload: fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 120, maxLength: 300 })),
  }),
  fc.record({
    opcode: fc.constantFrom(8, 9, 10),
    fin: fc.constant(true),
    rsv1: fc.constant(false),
    payload: fc.uint8Array({ maxLength: 125 }),
  }),
);
const keyArbitrary = fc.uint8Array({ minLength: 4, maxLength: 4 });

function encodePlainFrame(opcode: number, payload: Uint8Array, fin: boolean, rsv1: boolean): Uint8Array {
  return Buffer.concat([
    Buffer.from(encodeFrameHead(opcode, payload.length, (fin ? FIN : 0) | (rsv1 ? RSV1 : 0)), "latin1"),
    payload,
  ]);
}

describe("frames: properties", () => {
  it("decode to what was encoded, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(frameArbitrary, { maxLength: 5 }),
        keyArbitrary,
        fc.boolean(),
        fc.array(fc.nat(700), { maxLength: 12 }),
        (frames, key, masked, places) => {
          const bytes = Buffer.concat(
            frames.map(({ opcode, payload, fin, rsv1 }) =>
              masked
                ? encodeMaskedFrame(opcode, payload, key, (fin ? FIN : 0) | (rsv1 ? RSV1 : 0))
                : encodePlainFrame(opcode, payload, fin, rsv1),
            ),
          );
          assert.deepEqual(
            decode(cut(bytes, places), { masked, allowRsv1: true }),
            frames.map((frame) => ({ ...frame, payload: toHex(frame.payload) })),
          );
        },
      ),
    );
  });

  it("decode to the same when cut at any one place, or into single bytes", () => {
    const bytes = Buffer.concat([
      encodeMaskedFrame(OPCODE.TEXT, Buffer.from("Hel"), KEY, 0),
      encodeMaskedFrame(OPCODE.PING, Buffer.from("ping"), hex("01020304")),
      encodeMaskedFrame(OPCODE.CONTINUATION, new Uint8Array(130).fill(0xe9), hex("f1f2f3f4")),
      encodeMaskedFrame(OPCODE.BINARY, new Uint8Array(0), KEY),
      encodeMaskedFrame(OPCODE.CLOSE, hex("03e8"), KEY),
    ]);
    const whole = decode([Uint8Array.from(bytes)], SERVER);
    assert.equal(whole.length, 5);
    for (let at = 0; at <= bytes.length; at++) assert.deepEqual(decode(cut(bytes, [at]), SERVER), whole);
    assert.deepEqual(decode(cut(bytes, [...bytes.keys()]), SERVER), whole);
  });

  it("damaged or random frames throw only ChannelError", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.boolean(),
        fc.boolean(),
        fc.array(fc.nat(200), { maxLength: 4 }),
        (bytes, masked, allowRsv1, places) => {
          try {
            decode(cut(bytes, places), { masked, allowRsv1 });
          } catch (error) {
            assert.ok(error instanceof ChannelError, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("encodeFrameHead: RFC 6455 §5.2", () => {
  const heads: [string, string][] = [
    [encodeFrameHead(OPCODE.TEXT, 5), "8105"],
    [encodeFrameHead(OPCODE.TEXT, 3, 0), "0103"],
    [encodeFrameHead(OPCODE.CONTINUATION, 2), "8002"],
    [encodeFrameHead(OPCODE.PING, 5), "8905"],
    [encodeFrameHead(OPCODE.CLOSE, 0), "8800"],
    [encodeFrameHead(OPCODE.TEXT, 1, FIN | RSV1), "c101"],
    [encodeFrameHead(OPCODE.TEXT, 1, RSV1), "4101"],
    [encodeFrameHead(OPCODE.BINARY, 125), "827d"],
    [encodeFrameHead(OPCODE.BINARY, 126), "827e007e"],
    [encodeFrameHead(OPCODE.BINARY, 256), "827e0100"],
    [encodeFrameHead(OPCODE.BINARY, 65_535), "827effff"],
    [encodeFrameHead(OPCODE.BINARY, 65_536), "827f0000000000010000"],
    [encodeFrameHead(OPCODE.BINARY, 0xfedcba98), "827f00000000fedcba98"],
    [encodeFrameHead(OPCODE.BINARY, Number.MAX_SAFE_INTEGER), "827f001fffffffffffff"],
  ];
  for (const [head, expected] of heads) {
    it(`writes ${expected}`, () => assert.equal(Buffer.from(head, "latin1").toString("hex"), expected));
  }
});

describe("encodeMaskedFrame: RFC 6455 §5.3, §5.7", () => {
  it("writes the masked text and the masked pong that §5.7 prints", () => {
    assert.equal(toHex(encodeMaskedFrame(OPCODE.TEXT, Buffer.from("Hello"), KEY)), "818537fa213d7f9f4d5158");
    assert.equal(toHex(encodeMaskedFrame(OPCODE.PONG, Buffer.from("Hello"), KEY)), "8a8537fa213d7f9f4d5158");
  });

  it("writes FIN, RSV1 and longer lengths", () => {
    assert.equal(toHex(encodeMaskedFrame(OPCODE.TEXT, hex("61"), hex("00000000"), RSV1)), "41810000000061");
    assert.equal(toHex(encodeMaskedFrame(OPCODE.BINARY, new Uint8Array(126), KEY).subarray(0, 8)), "82fe007e37fa213d");
    const long = encodeMaskedFrame(OPCODE.BINARY, new Uint8Array(65_536), KEY);
    assert.equal(toHex(long.subarray(0, 16)), "82ff000000000001000037fa213d37fa");
  });

  it("leaves the payload that it was given alone", () => {
    const payload = hex("48656c6c6f");
    encodeMaskedFrame(OPCODE.TEXT, payload, KEY);
    assert.equal(toHex(payload), "48656c6c6f");
  });
});
