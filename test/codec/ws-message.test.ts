import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChannelError, type ErrorCode } from "../../src/base/errors.ts";
import { encodeMaskedFrame, FIN, type FrameOptions, OPCODE, RSV1 } from "../../src/codec/ws-frame.ts";
import {
  encodeClosePayload,
  isCloseCode,
  MessageDecoder,
  type MessageLimits,
  type WebSocketEvent,
} from "../../src/codec/ws-message.ts";
import { cut, hex, toHex } from "../support/hex.ts";

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODE;
const SERVER: FrameOptions = { masked: true, allowRsv1: false };
const CLIENT: FrameOptions = { masked: false, allowRsv1: false };
const ROOMY: MessageLimits = { maxMessageBytes: 1 << 20, maxFragments: 1024 };
const KEY = hex("37fa213d");

/** An event in a form that is easily compared: binary as hex, an error as its code. */
type Seen =
  | string
  | { text: string }
  | { binary: string }
  | { ping: string }
  | { pong: string }
  | { compressed: string; isText: boolean }
  | { close: number; reason: string };

function plain(event: WebSocketEvent): Seen {
  switch (event.type) {
    case "message":
      return typeof event.data === "string" ? { text: event.data } : { binary: toHex(event.data) };
    case "compressed":
      return { compressed: toHex(event.data), isText: event.isText };
    case "ping":
      return { ping: Buffer.from(event.data).toString("latin1") };
    case "pong":
      return { pong: Buffer.from(event.data).toString("latin1") };
    case "close":
      return { close: event.code, reason: event.reason };
  }
}

const CLOSE_CODES: Partial<Record<ErrorCode, number>> = {
  BAD_FRAME: 1002,
  BAD_UTF8: 1007,
  MESSAGE_TOO_BIG: 1009,
  TOO_MANY_FRAGMENTS: 1008,
};

/** Everything that comes out; an error is last, as its code. */
function decode(chunks: readonly Uint8Array[], limits = ROOMY, options = SERVER): Seen[] {
  const decoder = new MessageDecoder(limits, options);
  const seen: Seen[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) seen.push(plain(event));
    }
  } catch (error) {
    assert.ok(error instanceof ChannelError, String(error));
    assert.equal(error.closeCode, CLOSE_CODES[error.code]);
    assert.notEqual(error.closeCode, undefined);
    assert.equal(decoder.next(), undefined, "spent");
    decoder.push(frame(TEXT, "late"));
    assert.equal(decoder.next(), undefined, "spent for good");
    seen.push(error.code);
  }
  return seen;
}

function frame(opcode: number, payload: string | Uint8Array, fin = true): Uint8Array {
  return encodeMaskedFrame(opcode, typeof payload === "string" ? Buffer.from(payload) : payload, KEY, fin ? FIN : 0);
}

/** Frames in one chunk. */
function together(...frames: Uint8Array[]): Uint8Array[] {
  return [Uint8Array.from(Buffer.concat(frames))];
}

/** A masked header that announces `length` and has no payload. */
function headOnly(opcode: number, length: number, fin = true): Uint8Array {
  const payload = new Uint8Array(length);
  return encodeMaskedFrame(opcode, payload, KEY, fin ? FIN : 0).slice(0, -length);
}

describe("MessageDecoder: the examples of RFC 6455 §5.7", () => {
  it("text, masked and unmasked", () => {
    assert.deepEqual(decode([hex("81 85 37fa213d 7f9f4d5158")]), [{ text: "Hello" }]);
    assert.deepEqual(decode([hex("81 05 48656c6c6f")], ROOMY, CLIENT), [{ text: "Hello" }]);
  });

  it("fragmented text", () => {
    assert.deepEqual(decode([hex("01 03 48656c  80 02 6c6f")], ROOMY, CLIENT), [{ text: "Hello" }]);
  });

  it("ping and pong", () => {
    assert.deepEqual(decode([hex("89 05 48656c6c6f")], ROOMY, CLIENT), [{ ping: "Hello" }]);
    assert.deepEqual(decode([hex("8a 85 37fa213d 7f9f4d5158")]), [{ pong: "Hello" }]);
  });

  it("256 bytes and 64 KiB of binary", () => {
    const small = "ab".repeat(256);
    assert.deepEqual(decode([hex(`82 7e 0100 ${small}`)], ROOMY, CLIENT), [{ binary: small }]);
    const large = "cd".repeat(65_536);
    assert.deepEqual(decode([hex(`82 7f 0000000000010000 ${large}`)], ROOMY, CLIENT), [{ binary: large }]);
  });
});

describe("MessageDecoder: fragments and control frames, RFC 6455 §5.4, §5.5", () => {
  it("joins fragments, empty ones too", () => {
    const frames = together(
      frame(BINARY, "", false),
      frame(CONTINUATION, "a", false),
      frame(CONTINUATION, "", false),
      frame(CONTINUATION, "bc"),
    );
    assert.deepEqual(decode(frames), [{ binary: "616263" }]);
  });

  it("knows empty messages", () => {
    assert.deepEqual(decode(together(frame(TEXT, ""), frame(BINARY, ""))), [{ text: "" }, { binary: "" }]);
    assert.deepEqual(decode(together(frame(TEXT, "", false), frame(CONTINUATION, ""))), [{ text: "" }]);
  });

  it("lets control frames pass between fragments, in order", () => {
    const frames = together(
      frame(TEXT, "1", false),
      frame(PING, "p"),
      frame(CONTINUATION, "2", false),
      frame(PONG, "q"),
      frame(PING, ""),
      frame(CONTINUATION, "3"),
      frame(TEXT, "4"),
    );
    assert.deepEqual(decode(frames), [{ ping: "p" }, { pong: "q" }, { ping: "" }, { text: "123" }, { text: "4" }]);
  });

  it("hears a close in the middle of a message", () => {
    assert.deepEqual(decode(together(frame(TEXT, "1", false), frame(CLOSE, hex("03e9")))), [
      { close: 1001, reason: "" },
    ]);
  });

  const refused: [string, Uint8Array[]][] = [
    ["a continuation without a message", [frame(CONTINUATION, "x")]],
    ["a continuation after a whole message", [frame(TEXT, "x"), frame(CONTINUATION, "y")]],
    [
      "a continuation after the last fragment",
      [frame(TEXT, "x", false), frame(CONTINUATION, "y"), frame(CONTINUATION, "z")],
    ],
    ["new text inside a message", [frame(TEXT, "x", false), frame(TEXT, "y")]],
    ["new binary inside a message", [frame(TEXT, "x", false), frame(BINARY, "y", false)]],
    ["a reserved opcode", [hex("8380 37fa213d")]],
    ["an unmasked frame", [hex("8100")]],
  ];
  for (const [name, frames] of refused) {
    it(`refuses ${name} with 1002`, () => assert.equal(decode(together(...frames)).at(-1), "BAD_FRAME"));
  }

  it("refuses RSV1 where no extension gives it a meaning (RFC 6455 §5.2)", () => {
    assert.deepEqual(decode([hex("c101 61")], ROOMY, CLIENT), ["BAD_FRAME"]);
  });
});

describe("MessageDecoder: compressed messages, RFC 7692 §6", () => {
  const COMPRESSIBLE: FrameOptions = { masked: false, allowRsv1: true };
  const see = (frames: string, limits = ROOMY): Seen[] => decode([hex(frames)], limits, COMPRESSIBLE);

  it("RSV1 on the only frame: the payload comes as it was sent, with the kind of the message", () => {
    assert.deepEqual(see("c107 f248cdc9c90700"), [{ compressed: "f248cdc9c90700", isText: true }]);
    assert.deepEqual(see("c207 f248cdc9c90700"), [{ compressed: "f248cdc9c90700", isText: false }]);
    assert.deepEqual(see("c100"), [{ compressed: "", isText: true }]);
  });

  it("RSV1 on the first of several frames: §6.2, they are joined, control frames come between", () => {
    assert.deepEqual(see("4103 f248cd  8900  0000  8004 c9c90700"), [
      { ping: "" },
      { compressed: "f248cdc9c90700", isText: true },
    ]);
  });

  it("compressed and plain messages may alternate; compressed bytes need not be UTF-8", () => {
    assert.deepEqual(see("8101 61  c101 ff  4102 c3ff 8001 80  8101 62  c201 ff"), [
      { text: "a" },
      { compressed: "ff", isText: true },
      { compressed: "c3ff80", isText: true },
      { text: "b" },
      { compressed: "ff", isText: false },
    ]);
  });

  it("the UTF-8 of plain messages is still checked", () => {
    assert.deepEqual(see("c101 ff  8101 ff"), [{ compressed: "ff", isText: true }, "BAD_UTF8"]);
  });

  it("§6.1: RSV1 on a continuation is refused, in a compressed message and in a plain one", () => {
    assert.deepEqual(see("0101 61  c001 61"), ["BAD_FRAME"]);
    assert.deepEqual(see("4101 61  c001 61"), ["BAD_FRAME"]);
  });

  it("§6: RSV1 on a control frame is refused", () => {
    for (const opcode of ["c8", "c9", "ca"]) assert.deepEqual(see(`${opcode}00`), ["BAD_FRAME"]);
  });

  it("the limits apply to the bytes on the wire: announced length and fragments", () => {
    const limits = { maxMessageBytes: 4, maxFragments: 2 };
    assert.deepEqual(see("c104 01020304", limits), [{ compressed: "01020304", isText: true }]);
    assert.deepEqual(see("c105", limits), ["MESSAGE_TOO_BIG"]);
    assert.deepEqual(see("4103 010203  8002", limits), ["MESSAGE_TOO_BIG"]);
    assert.deepEqual(see("4100  0000  8000", limits), ["TOO_MANY_FRAGMENTS"]);
  });
});

describe("MessageDecoder: UTF-8, RFC 6455 §5.6, §8.1", () => {
  const text = "κόσμε 漢字 😀 é";

  it("decodes text of every width", () => assert.deepEqual(decode([frame(TEXT, text)]), [{ text }]));

  it("keeps a byte order mark and NUL", () => {
    assert.deepEqual(decode([frame(TEXT, "\ufeffa\0b")]), [{ text: "\ufeffa\0b" }]);
    assert.deepEqual(decode(together(frame(TEXT, "\ufeff", false), frame(CONTINUATION, "é"))), [{ text: "\ufeffé" }]);
  });

  it("lets a character be split over fragments, at every byte", () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at++) {
      const frames = together(
        frame(TEXT, bytes.subarray(0, at), false),
        frame(PING, ""),
        frame(CONTINUATION, bytes.subarray(at)),
      );
      assert.deepEqual(decode(frames), [{ ping: "" }, { text }], `at ${at}`);
    }
  });

  it("accepts U+FFFD as a character of valid text", () => {
    const frames = together(frame(TEXT, "\ufffd"), frame(CLOSE, Buffer.concat([hex("03e8"), Buffer.from("\ufffd")])));
    assert.deepEqual(decode(frames), [{ text: "\ufffd" }, { close: 1000, reason: "\ufffd" }]);
    assert.deepEqual(decode([frame(TEXT, Buffer.concat([Buffer.from("\ufffd"), hex("ff")]))]), ["BAD_UTF8"]);
  });

  const invalid = ["ff", "c3", "c328", "eda080", "c0af", "f4908080", "e282", "80"];
  for (const bytes of invalid) {
    it(`refuses ${bytes} with 1007, alone, after text, in a fragment`, () => {
      assert.deepEqual(decode([frame(TEXT, hex(bytes))]), ["BAD_UTF8"]);
      assert.deepEqual(decode([frame(TEXT, hex(`616263 ${bytes} `))]), ["BAD_UTF8"]);
      assert.deepEqual(decode(together(frame(TEXT, "é", false), frame(CONTINUATION, hex(bytes)))), ["BAD_UTF8"]);
    });
  }

  it("says so as soon as the bytes cannot be valid any more, in the middle of a frame", () => {
    const decoder = new MessageDecoder(ROOMY, SERVER);
    const bytes = frame(TEXT, hex("cebae1bdb9cf83cebcceb5 f4908080 656469746564"));
    // The header, 11 bytes of text, and F4; the next byte makes it a code point above U+10FFFF.
    decoder.push(bytes.slice(0, 6 + 12));
    assert.equal(decoder.next(), undefined);
    decoder.push(bytes.slice(18, 19));
    assert.throws(() => decoder.next(), { code: "BAD_UTF8", closeCode: 1007 });
  });

  it("says so in the first of several fragments", () => {
    assert.deepEqual(decode([frame(TEXT, hex("ff"), false)]), ["BAD_UTF8"]);
  });

  it("accepts any bytes in a binary message", () => {
    assert.deepEqual(decode(together(frame(BINARY, hex("ff"), false), frame(CONTINUATION, hex("c0")))), [
      { binary: "ffc0" },
    ]);
  });

  it("starts anew with each message", () => {
    const frames = together(frame(TEXT, "é", false), frame(CONTINUATION, "a"), frame(TEXT, "b"), frame(TEXT, "é"));
    assert.deepEqual(decode(frames), [{ text: "éa" }, { text: "b" }, { text: "é" }]);
  });
});

describe("MessageDecoder: limits", () => {
  for (const opcode of [TEXT, BINARY]) {
    const kind = opcode === TEXT ? "text" : "binary";
    const lengths = (limit: number, ...sizes: number[]): Seen[] => {
      const frames = sizes.map((size, i) =>
        frame(i === 0 ? opcode : CONTINUATION, "a".repeat(size), i === sizes.length - 1),
      );
      return decode(together(...frames), { maxMessageBytes: limit, maxFragments: 10 });
    };
    const whole = (size: number): Seen[] =>
      opcode === TEXT ? [{ text: "a".repeat(size) }] : [{ binary: "61".repeat(size) }];

    it(`${kind} of at most maxMessageBytes passes, more is refused with 1009`, () => {
      assert.deepEqual(lengths(100, 100), whole(100));
      assert.deepEqual(lengths(100, 101), ["MESSAGE_TOO_BIG"]);
      assert.deepEqual(lengths(200, 100, 100), whole(200));
      assert.deepEqual(lengths(200, 126, 74), whole(200));
      assert.deepEqual(lengths(200, 100, 101), ["MESSAGE_TOO_BIG"]);
      assert.deepEqual(lengths(200, 126, 75), ["MESSAGE_TOO_BIG"]);
      assert.deepEqual(lengths(0, 0), whole(0));
      assert.deepEqual(lengths(0, 1), ["MESSAGE_TOO_BIG"]);
    });
  }

  it("refuses on the header alone, before any payload", () => {
    const limits = { maxMessageBytes: 200, maxFragments: 10 };
    assert.deepEqual(decode([headOnly(TEXT, 201)], limits), ["MESSAGE_TOO_BIG"]);
    assert.deepEqual(decode([frame(TEXT, "a".repeat(100), false), headOnly(CONTINUATION, 101)], limits), [
      "MESSAGE_TOO_BIG",
    ]);
    assert.deepEqual(decode([hex("82ff 7fffffffffffffff 00000000")], limits), ["MESSAGE_TOO_BIG"]);
  });

  it("counts bytes, not characters", () => {
    assert.deepEqual(decode([frame(TEXT, "éé")], { maxMessageBytes: 4, maxFragments: 1 }), [{ text: "éé" }]);
    assert.deepEqual(decode([frame(TEXT, "ééé")], { maxMessageBytes: 5, maxFragments: 1 }), ["MESSAGE_TOO_BIG"]);
  });

  it("counts each message separately, and no control frames", () => {
    const frames = together(
      frame(PING, "12345"),
      frame(TEXT, "ab", false),
      frame(PING, "12345"),
      frame(CONTINUATION, "cd"),
      frame(TEXT, "efgh"),
      frame(CLOSE, Buffer.concat([hex("03e8"), Buffer.from("good bye")])),
    );
    assert.deepEqual(decode(frames, { maxMessageBytes: 4, maxFragments: 2 }), [
      { ping: "12345" },
      { ping: "12345" },
      { text: "abcd" },
      { text: "efgh" },
      { close: 1000, reason: "good bye" },
    ]);
  });

  it("never refuses a message within its limit for fragments of 64 bytes and more, whatever maxFragments is", () => {
    for (const size of [64, 100, 4096]) {
      const count = Math.floor((1 << 20) / size);
      for (const maxFragments of [1, 1024]) {
        const frames = Array.from({ length: count }, (_, i) =>
          frame(i === 0 ? BINARY : CONTINUATION, Buffer.alloc(size), i === count - 1),
        );
        assert.deepEqual(decode(frames, { maxMessageBytes: 1 << 20, maxFragments }), [
          { binary: "00".repeat(size * count) },
        ]);
      }
    }
  });

  it("counts the last fragment as one of 64 bytes: it may be empty, or the rest", () => {
    const parts = (last: number): Uint8Array[] => [
      ...[BINARY, CONTINUATION, CONTINUATION].map((opcode) => frame(opcode, Buffer.alloc(64), false)),
      frame(CONTINUATION, Buffer.alloc(last)),
    ];
    const limits = { maxMessageBytes: 1000, maxFragments: 2 };
    for (const last of [0, 1, 64]) assert.equal(decode(parts(last), limits).length, 1);
    const small = [63, 64, 64].map((size, i) => frame(i === 0 ? BINARY : CONTINUATION, Buffer.alloc(size), false));
    assert.deepEqual(decode([...small, frame(CONTINUATION, "")], limits), ["TOO_MANY_FRAGMENTS"]);
  });

  it("refuses more than maxFragments with 1008, empty ones counted", () => {
    const fragments = (count: number): Uint8Array[] =>
      together(
        ...Array.from({ length: count }, (_, i) => frame(i === 0 ? TEXT : CONTINUATION, "", i === count - 1)),
        frame(TEXT, "next"),
      );
    const limits = { maxMessageBytes: 100, maxFragments: 3 };
    assert.deepEqual(decode(fragments(3), limits), [{ text: "" }, { text: "next" }]);
    assert.deepEqual(decode(fragments(4), limits), ["TOO_MANY_FRAGMENTS"]);
  });
});

describe("MessageDecoder: close, RFC 6455 §5.5.1, §7.1.5, §7.4", () => {
  const close = (payload: string): Seen[] => decode([frame(CLOSE, hex(payload))]);

  it("an empty one is 1005", () => assert.deepEqual(close(""), [{ close: 1005, reason: "" }]));

  it("has a code and perhaps a reason in UTF-8", () => {
    assert.deepEqual(close("03e8"), [{ close: 1000, reason: "" }]);
    assert.deepEqual(close("03e9 62796520 e282ac"), [{ close: 1001, reason: "bye €" }]);
    assert.deepEqual(close(`0bb8 ${"61".repeat(123)}`), [{ close: 3000, reason: "a".repeat(123) }]);
  });

  it("a close of one byte is refused with 1002", () => assert.deepEqual(close("03"), ["BAD_FRAME"]));

  it("takes the codes that may stand in a frame and refuses the others with 1002", () => {
    const accepted = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
    const refused = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
    const asHex = (code: number): string => code.toString(16).padStart(4, "0");
    for (const code of accepted) assert.deepEqual(close(asHex(code)), [{ close: code, reason: "" }]);
    for (const code of refused) assert.deepEqual(close(asHex(code)), ["BAD_FRAME"], String(code));
  });

  it("a close reason that is not UTF-8 is refused with 1007", () => {
    for (const reason of ["ff", "c3", "eda080"]) assert.deepEqual(close(`03e8 ${reason}`), ["BAD_UTF8"]);
  });

  it("is the last event", () => {
    const frames = together(frame(TEXT, "a"), frame(CLOSE, hex("03e8")), frame(TEXT, "b"), hex("ffffff"));
    assert.deepEqual(decode([...frames, frame(PING, "c")]), [{ text: "a" }, { close: 1000, reason: "" }]);
  });
});

describe("MessageDecoder: memory", () => {
  it("returns binary messages as views of the pushed bytes, but copies a small message out of a large read", () => {
    const isView = (size: number, rest: number): boolean => {
      const first = frame(BINARY, new Uint8Array(size));
      const chunk = Uint8Array.from(Buffer.concat([first, frame(BINARY, new Uint8Array(rest))]));
      const decoder = new MessageDecoder(ROOMY, SERVER);
      decoder.push(chunk);
      const event = decoder.next();
      assert.ok(event?.type === "message" && typeof event.data !== "string");
      assert.equal(event.data.length, size);
      return event.data.buffer === chunk.buffer;
    };
    assert.equal(isView(64, 100), true);
    assert.equal(isView(64, 20_000), false);
    assert.equal(isView(1024, 20_000), false);
    assert.equal(isView(1025, 20_000), true);
  });

  it("joins a message in the memory of the read in which it began, if nobody else has a part of it", () => {
    const payload = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7) & 0xff);
    /** The message, and the read in which it began. `before`: a message at the start of that read. `readBytes`: the size of a read. */
    const joined = (
      before: Uint8Array,
      readBytes = 65_536,
    ): { readonly data: Uint8Array; readonly read: Uint8Array; readonly first: Seen | undefined } => {
      const all = Buffer.concat([before, frame(BINARY, payload)]);
      const decoder = new MessageDecoder(ROOMY, SERVER);
      const read = Uint8Array.from(all.subarray(0, readBytes));
      const events: WebSocketEvent[] = [];
      for (const bytes of [read, Uint8Array.from(all.subarray(readBytes))]) {
        decoder.push(bytes);
        for (let event = decoder.next(); event !== undefined; event = decoder.next()) events.push(event);
        assert.ok(decoder.heldBytes <= 131_072);
      }
      const last = events.at(-1);
      assert.ok(last?.type === "message" && typeof last.data !== "string");
      assert.deepEqual(Buffer.from(last.data), Buffer.from(payload));
      return { data: last.data, read, first: events.length > 1 ? plain(events[0]!) : undefined };
    };
    const alone = joined(new Uint8Array(0));
    assert.equal(alone.data.buffer, alone.read.buffer);
    const behindText = joined(frame(TEXT, "hello"));
    assert.equal(behindText.data.buffer, behindText.read.buffer);
    const behindView = joined(frame(BINARY, new Uint8Array(2000).fill(1)));
    assert.notEqual(behindView.data.buffer, behindView.read.buffer);
    assert.deepEqual(behindView.first, { binary: "01".repeat(2000) });
    const short = joined(new Uint8Array(0), 60_000);
    assert.notEqual(short.data.buffer, short.read.buffer);
  });

  it("does not keep a large read in memory for a message of less than half its length", () => {
    const before = frame(TEXT, "x".repeat(50_000));
    const all = Buffer.concat([before, frame(BINARY, new Uint8Array(20_000).fill(1))]);
    const decoder = new MessageDecoder(ROOMY, SERVER);
    const read = Uint8Array.from(all.subarray(0, 60_000));
    decoder.push(read);
    while (decoder.next() !== undefined);
    assert.ok(decoder.heldBytes < 60_000);
    decoder.push(Uint8Array.from(all.subarray(60_000)));
    const event = decoder.next();
    assert.ok(event?.type === "message" && typeof event.data !== "string");
    assert.notEqual(event.data.buffer, read.buffer);
    assert.equal(toHex(event.data), "01".repeat(20_000));
  });

  it("does not keep the memory of a large read for a message that began in a small view of it", () => {
    const all = frame(BINARY, new Uint8Array(100).fill(1));
    // As node:http2 gives the DATA frames of one read.
    const memory = new Uint8Array(65_536);
    memory.set(all.subarray(0, 100), 1000);
    const decoder = new MessageDecoder(ROOMY, SERVER);
    decoder.push(memory.subarray(1000, 1100));
    assert.equal(decoder.next(), undefined);
    decoder.push(Uint8Array.from(all.subarray(100)));
    const event = decoder.next();
    assert.ok(event?.type === "message" && typeof event.data !== "string");
    assert.equal(toHex(event.data), "01".repeat(100));
    assert.notEqual(event.data.buffer, memory.buffer);
  });

  it("gives pings and pongs as copies", () => {
    const chunk = Uint8Array.from(Buffer.concat([frame(PING, "a"), frame(PONG, "b".repeat(125))]));
    const decoder = new MessageDecoder(ROOMY, SERVER);
    decoder.push(chunk);
    const events = [decoder.next(), decoder.next()];
    chunk.fill(0);
    assert.deepEqual(
      events.map((event) => plain(event!)),
      [{ ping: "a" }, { pong: "b".repeat(125) }],
    );
  });

  it("takes time in proportion to the bytes when they come one by one", () => {
    const bytes = frame(TEXT, "é".repeat(150_000));
    const decoder = new MessageDecoder(ROOMY, SERVER);
    const begun = performance.now();
    let event: WebSocketEvent | undefined;
    for (let i = 0; i < bytes.length; i++) {
      decoder.push(bytes.slice(i, i + 1));
      event = decoder.next();
    }
    assert.deepEqual(event, { type: "message", data: "é".repeat(150_000) });
    // 0.1 s here; quadratic work would take minutes.
    assert.ok(performance.now() - begun < 10_000);
  });
});

const sentArbitrary = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 60 }).map((text): Seen => ({ text })),
  fc.string({ maxLength: 150 }).map((text): Seen => ({ text })),
  fc.uint8Array({ maxLength: 200 }).map((bytes): Seen => ({ binary: toHex(bytes) })),
  fc
    .tuple(fc.uint8Array({ maxLength: 200 }), fc.boolean())
    .map(([bytes, isText]): Seen => ({ compressed: toHex(bytes), isText })),
  fc.string({ unit: "binary-ascii", maxLength: 125 }).map((text): Seen => ({ ping: text })),
  fc.string({ unit: "binary-ascii", maxLength: 125 }).map((text): Seen => ({ pong: text })),
);

/** The frames of one thing sent, messages fragmented at the places given. */
function framesOf(sent: Seen, key: Uint8Array, places: readonly number[]): Uint8Array[] {
  assert.ok(typeof sent === "object");
  if ("ping" in sent) return [encodeMaskedFrame(PING, Buffer.from(sent.ping), key)];
  if ("pong" in sent) return [encodeMaskedFrame(PONG, Buffer.from(sent.pong), key)];
  if ("close" in sent) return [encodeMaskedFrame(CLOSE, encodeClosePayload(sent.close, sent.reason), key)];
  const isCompressed = "compressed" in sent;
  const isText = "text" in sent || (isCompressed && sent.isText);
  const payload = "text" in sent ? Buffer.from(sent.text) : hex(isCompressed ? sent.compressed : sent.binary);
  const fragments = cut(payload, places);
  return fragments.map((fragment, i) => {
    const opcode = i > 0 ? CONTINUATION : isText ? TEXT : BINARY;
    return encodeMaskedFrame(
      opcode,
      fragment,
      key,
      (i === fragments.length - 1 ? FIN : 0) | (isCompressed && i === 0 ? RSV1 : 0),
    );
  });
}

const placesArbitrary = fc.array(fc.nat(150), { maxLength: 4 });
const keyArbitrary = fc.uint8Array({ minLength: 4, maxLength: 4 });

describe("messages: properties", () => {
  it("arrive as they were sent, however fragmented, wherever the bytes are cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(sentArbitrary, keyArbitrary, placesArbitrary), { maxLength: 5 }),
        fc.array(fc.nat(900), { maxLength: 10 }),
        (all, places) => {
          const bytes = Buffer.concat(all.flatMap(([sent, key, at]) => framesOf(sent, key, at)));
          assert.deepEqual(
            decode(cut(bytes, places), ROOMY, { masked: true, allowRsv1: true }),
            all.map(([sent]) => sent),
          );
        },
      ),
    );
  });

  it("arrive the same when cut at any one place, or into single bytes", () => {
    const sent: Seen[] = [
      { text: "héllo" },
      { ping: "p" },
      { binary: "00ff".repeat(70) },
      { text: "ascii" },
      { close: 4000, reason: "€" },
    ];
    const bytes = Buffer.concat(sent.flatMap((one, i) => framesOf(one, hex(`a1b2c3d${i}`), [1, 2])));
    for (let at = 0; at <= bytes.length; at++) assert.deepEqual(decode(cut(bytes, [at])), sent, `cut at ${at}`);
    assert.deepEqual(decode(cut(bytes, [...bytes.keys()])), sent);
  });

  it("give the same values and the same error wherever damaged bytes are cut", () => {
    const bytes = Buffer.concat([
      ...framesOf({ text: "añb" }, KEY, [2]),
      ...framesOf({ ping: "x" }, KEY, []),
      ...framesOf({ binary: "0102030405" }, KEY, [3]),
      ...framesOf({ close: 1000, reason: "é" }, KEY, []),
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(bytes.length), { maxLength: 8 }),
        (damage, places) => {
          const damaged = Uint8Array.from(bytes);
          for (const [at, byte] of damage) damaged[at] = byte;
          const limits = { maxMessageBytes: 100, maxFragments: 3 };
          assert.deepEqual(decode(cut(damaged, places), limits), decode([Uint8Array.from(damaged)], limits));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it("text messages of random bytes are refused exactly when the platform's decoder refuses them", () => {
    const bytesArbitrary = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: "binary", maxLength: 6 }).map((text) => Uint8Array.from(Buffer.from(text))),
      fc
        .string({ unit: "binary", minLength: 1, maxLength: 6 })
        .map((text) => Uint8Array.from(Buffer.from(text)).slice(0, -1)),
    );
    fc.assert(
      fc.property(bytesArbitrary, (bytes) => {
        let expected: Seen = "BAD_UTF8";
        try {
          expected = { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
        } catch {}
        assert.deepEqual(decode([frame(TEXT, bytes)]), [expected]);
        assert.deepEqual(decode(cut(frame(TEXT, bytes), [8])), [expected]);
      }),
      { numRuns: 2000 },
    );
  });

  it("random bytes throw only ChannelError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.boolean(), (bytes, masked) => {
        decode([bytes], ROOMY, { masked, allowRsv1: true });
      }),
      { numRuns: 3000 },
    );
  });
});

describe("isCloseCode: RFC 6455 §7.4", () => {
  const among = (is: (code: number) => boolean): string => {
    const ranges: string[] = [];
    for (let code = 0; code <= 70_000; code++) {
      if (!is(code)) continue;
      const from = code;
      while (is(code + 1)) code++;
      ranges.push(`${from}-${code}`);
    }
    return ranges.join(" ");
  };

  it("accepts assigned, registered and private codes", () =>
    assert.equal(among(isCloseCode), "1000-1003 1007-1014 3000-4999"));

  it("takes integers only", () => {
    for (const code of [1000.5, Number.NaN, Number.POSITIVE_INFINITY, -1000]) assert.equal(isCloseCode(code), false);
  });
});

describe("encodeClosePayload: RFC 6455 §5.5.1", () => {
  it("is the code in two bytes and the reason", () => {
    assert.equal(toHex(encodeClosePayload(1000, "")), "03e8");
    assert.equal(toHex(encodeClosePayload(4999, "a€")), "138761e282ac");
  });

  it("is empty for 1005", () => assert.equal(encodeClosePayload(1005, "").length, 0));

  it("holds a reason of 123 bytes and no more", () => {
    assert.equal(encodeClosePayload(1000, "a".repeat(123)).length, 125);
    assert.equal(encodeClosePayload(1000, "é".repeat(61)).length, 124);
    assert.throws(() => encodeClosePayload(1000, "a".repeat(124)), { code: "BAD_CLOSE" });
    assert.throws(() => encodeClosePayload(1000, "é".repeat(62)), { code: "BAD_CLOSE" });
  });

  it("refuses codes that must not be sent, and a reason without a code", () => {
    for (const code of [0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 1000.5, Number.NaN]) {
      assert.throws(() => encodeClosePayload(code, ""), { code: "BAD_CLOSE" }, String(code));
    }
    assert.throws(() => encodeClosePayload(1005, "x"), { code: "BAD_CLOSE" });
  });
});

describe("MessageDecoder: what a message in many fragments costs", () => {
  for (const [count, size] of [
    [10_000, 1],
    [1000, 1000],
  ] as const) {
    it(`copies each byte a few times at most: ${count} fragments of ${size} bytes`, (t) => {
      const payload = new Uint8Array(size).fill(0x61);
      const frames = Array.from({ length: count }, (_, at) =>
        encodeMaskedFrame(at === 0 ? OPCODE.TEXT : OPCODE.CONTINUATION, payload, KEY, at === count - 1 ? FIN : 0),
      );
      const decoder = new MessageDecoder(
        { maxMessageBytes: 1 << 22, maxFragments: count },
        { masked: true, allowRsv1: false },
      );
      for (const frame of frames) decoder.push(frame);
      let copied = 0;
      const { set } = Uint8Array.prototype;
      t.mock.method(Uint8Array.prototype, "set", function (this: Uint8Array, from: ArrayLike<number>, at?: number) {
        copied += from.length;
        set.call(this, from, at);
      });
      assert.deepEqual(decoder.next(), { type: "message", data: "a".repeat(count * size) });
      assert.ok(copied < 4 * count * size, `${copied} bytes were copied for ${count * size}`);
    });
  }
});
