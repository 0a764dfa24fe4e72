import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { latin1 } from "../../src/base/bytes.ts";
import { ChannelError, type ErrorCode } from "../../src/base/errors.ts";
import {
  type BodyDecoder,
  ChunkedBodyDecoder,
  type ChunkedLimits,
  FixedBodyDecoder,
} from "../../src/codec/http1-body.ts";
import { bytesOf, cutAt, cutEverywhere, oneByOne } from "../support/cut.ts";

const LIMITS: ChunkedLimits = { maxBodyBytes: 1000, maxTrailerBytes: 64, maxTrailerCount: 3 };

interface Outcome {
  readonly body: string;
  readonly isDone: boolean;
  readonly rest: string;
  readonly trailers: readonly string[];
  readonly error: ErrorCode | undefined;
}

function decode(
  decoder: BodyDecoder & { readonly trailers?: readonly string[] },
  chunks: readonly Uint8Array[],
): Outcome {
  let body = "";
  let rest = "";
  let error: ErrorCode | undefined;
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (let piece = decoder.next(); piece !== undefined; piece = decoder.next()) {
        assert.notEqual(piece.length, 0);
        body += latin1(piece);
      }
      if (decoder.isDone) rest += latin1(decoder.takeRest() ?? new Uint8Array(0));
    }
  } catch (thrown) {
    if (!(thrown instanceof ChannelError)) throw thrown;
    error = thrown.code;
  }
  return { body, isDone: decoder.isDone, rest, trailers: [...(decoder.trailers ?? [])], error };
}

function decodeChunked(chunks: readonly Uint8Array[], limits: ChunkedLimits = LIMITS): Outcome {
  return decode(new ChunkedBodyDecoder(limits), chunks);
}

function assertRefused(text: string, error: ErrorCode, limits?: ChunkedLimits): void {
  for (const chunks of cutEverywhere(bytesOf(text))) {
    const outcome = decodeChunked(chunks, limits);
    assert.deepEqual([outcome.error, outcome.isDone], [error, false], `${chunks.length} chunks`);
  }
}

describe("FixedBodyDecoder (RFC 9112 §6.2)", () => {
  it("gives as many bytes as it was told and leaves the rest, whatever the cuts", () => {
    for (const chunks of cutEverywhere(bytesOf("hello worldGET /"))) {
      assert.deepEqual(decode(new FixedBodyDecoder(11), chunks), {
        body: "hello world",
        isDone: true,
        rest: "GET /",
        trailers: [],
        error: undefined,
      });
    }
  });

  it("is done at once when the length is 0", () => {
    const decoder = new FixedBodyDecoder(0);
    assert.equal(decoder.isDone, true);
    decoder.push(bytesOf("GET /"));
    assert.equal(decoder.next(), undefined);
    assert.equal(latin1(decoder.takeRest()!), "GET /");
    assert.equal(decoder.takeRest(), undefined);
  });

  it("is not done before the last byte was taken", () => {
    const decoder = new FixedBodyDecoder(3);
    decoder.push(bytesOf("ab"));
    assert.equal(latin1(decoder.next()!), "ab");
    assert.equal(decoder.next(), undefined);
    assert.equal(decoder.isDone, false);
    decoder.push(bytesOf("c"));
    assert.equal(decoder.isDone, false);
    assert.equal(latin1(decoder.next()!), "c");
    assert.equal(decoder.isDone, true);
    assert.equal(decoder.takeRest(), undefined);
  });

  it("copies nothing", () => {
    const bytes = bytesOf("hello world");
    const decoder = new FixedBodyDecoder(5);
    decoder.push(bytes);
    assert.equal(decoder.next()?.buffer, bytes.buffer);
    assert.equal(decoder.takeRest()?.buffer, bytes.buffer);
  });

  it("takes several pushes before one next", () => {
    const decoder = new FixedBodyDecoder(4);
    for (const chunk of oneByOne(bytesOf("abcdef"))) decoder.push(chunk);
    assert.equal(latin1(decoder.next()!), "abcd");
    assert.equal(latin1(decoder.takeRest()!), "ef");
  });
});

describe("ChunkedBodyDecoder (RFC 9112 §7.1)", () => {
  const done = (body: string, trailers: string[] = []) => ({
    body,
    isDone: true,
    rest: "",
    trailers,
    error: undefined,
  });

  for (const [what, text, body] of [
    ["no chunk", "0\r\n\r\n", ""],
    ["one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"],
    ["two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"],
    ["hex digits of both cases", "a\r\n0123456789\r\nA\r\nabcdefghij\r\n0\r\n\r\n", "0123456789abcdefghij"],
    ["two digits", `1F\r\n${"x".repeat(31)}\r\n10\r\n${"y".repeat(16)}\r\n0\r\n\r\n`, "x".repeat(31) + "y".repeat(16)],
    ["leading zeros", "0000000000005\r\nhello\r\n000\r\n\r\n", "hello"],
    ["CRLF as data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"],
    ["extensions", '5;a=b\r\nhello\r\n1;a="b \t\xe9;";c\r\n!\r\n0;x\r\n\r\n', "hello!"],
  ] as const) {
    it(`reads ${what}, whatever the cuts`, () => {
      for (const chunks of cutEverywhere(bytesOf(text))) assert.deepEqual(decodeChunked(chunks), done(body));
    });
  }

  it("leaves what follows the body", () => {
    for (const chunks of cutEverywhere(bytesOf("1\r\na\r\n0\r\n\r\nGET /"))) {
      assert.deepEqual(decodeChunked(chunks), { ...done("a"), rest: "GET /" });
    }
  });

  it("gives data as it comes, as views", () => {
    const decoder = new ChunkedBodyDecoder(LIMITS);
    const bytes = bytesOf("5\r\nhello\r\n");
    decoder.push(bytes.subarray(0, 5));
    assert.equal(latin1(decoder.next()!), "he");
    assert.equal(decoder.next(), undefined);
    decoder.push(bytes.subarray(5));
    const piece = decoder.next()!;
    assert.equal(latin1(piece), "llo");
    assert.equal(piece.buffer, bytes.buffer);
  });

  it("joins small chunks that have arrived together, up to 16 KiB, and copies no larger one", () => {
    const decoder = new ChunkedBodyDecoder({ ...LIMITS, maxBodyBytes: 1_000_000 });
    decoder.push(bytesOf("1\r\nx\r\n".repeat(20_000)));
    const parts = [];
    for (let part = decoder.next(); part !== undefined; part = decoder.next()) parts.push(part);
    assert.deepEqual(
      parts.map((part) => part.length),
      [16_384, 3616],
    );
    assert.equal(parts.map((part) => latin1(part)).join(""), "x".repeat(20_000));

    const large = bytesOf(`400\r\n${"y".repeat(1024)}\r\n1\r\nz\r\n`);
    decoder.push(large);
    assert.equal(decoder.next()!.buffer, large.buffer);
    assert.equal(latin1(decoder.next()!), "z");
  });

  it("gives the data before an error, then throws it with each call", () => {
    const decoder = new ChunkedBodyDecoder(LIMITS);
    decoder.push(bytesOf("1\r\na\r\n1\r\nb\r\nX"));
    assert.equal(latin1(decoder.next()!), "ab");
    assert.throws(() => decoder.next(), { code: "BAD_REQUEST" });
    assert.throws(() => decoder.next(), { code: "BAD_REQUEST" });
  });

  it("takes pushes while pieces are not taken", () => {
    const decoder = new ChunkedBodyDecoder(LIMITS);
    decoder.push(bytesOf("2\r\nab\r\n3\r\nc"));
    decoder.push(bytesOf("de\r\n0\r\n\r\nX"));
    assert.equal(latin1(decoder.next()!), "abcde");
    assert.equal(decoder.next(), undefined);
    assert.equal(decoder.isDone, true);
    assert.equal(latin1(decoder.takeRest()!), "X");
  });

  for (const text of [
    "\r\n",
    "\n",
    ";a\r\n",
    " 5\r\n",
    "5 \r\n",
    "5 ;a\r\n",
    "5\t\r\n",
    "+5\r\n",
    "-5\r\n",
    "0x5\r\n",
    "5h\r\n",
    "g\r\n",
    "5,5\r\n",
    "5.0\r\n",
    "_5\r\n",
    "\x005\r\n",
    "\xb2\r\n",
    "5\n",
    "5\r\r\n",
    "5\rhello",
    "00000000000000\r\n",
    "00000000000001\r\n",
    "fffffffffffffff\r\n",
    "5;a\n",
    "5;a\rb\r\n",
    "5;a\x00\r\n",
    "5;a\x7f\r\n",
    "5\r\nhello!\r\n",
    "5\r\nhello\n",
    "5\r\nhello0\r\n",
    "5\r\nhello\r0\r\n",
    "5\r\nhello\r\r\n",
    "5\r\nhello\r\n\r\n",
    "5\r\nhello\r\nx",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assertRefused(text, "BAD_REQUEST"));
  }

  it("RFC 9110 §15.5.14: refuses a body above maxBodyBytes at the size line, before its data", () => {
    const limits = { ...LIMITS, maxBodyBytes: 10 };
    assert.deepEqual(decodeChunked([bytesOf("4\r\nabcd\r\n6\r\nefghij\r\n0\r\n\r\n")], limits), done("abcdefghij"));
    assertRefused("b\r\n", "BODY_TOO_LARGE", limits);
    assertRefused("4\r\nabcd\r\n7\r\n", "BODY_TOO_LARGE", limits);
    assertRefused("a\r\n0123456789\r\n1\r\n", "BODY_TOO_LARGE", limits);
    assertRefused("fffffffffffff\r\n", "BODY_TOO_LARGE");
    assertRefused("1\r\na\r\nfffffffffffff\r\n", "BODY_TOO_LARGE", { ...LIMITS, maxBodyBytes: 2 ** 52 - 1 });
  });

  it("§7.1.1: takes names, with or without a token or a quoted string", () => {
    for (const extension of [";a", ";a=b", ";a;b", ';a=""', ';a="b\\"\\\\c;=\t \xff"', ';a="b";c', ";!=~"]) {
      for (const chunks of cutEverywhere(bytesOf(`1${extension}\r\na\r\n0${extension}\r\n\r\n`))) {
        assert.deepEqual(decodeChunked(chunks), done("a"));
      }
    }
  });

  it("§7.1.1: refuses every other extension, and white space in them", () => {
    const bad = [
      ";",
      ";;a",
      ";=b",
      ";a=",
      ";a=;b",
      "; a",
      ";a ",
      ";a =b",
      ";a= b",
      ';a="b',
      ';a="b"c',
      ';"a"',
      ";(",
      ";\xe9",
    ];
    for (const extension of [...bad, ';a="\\', ';a="\0"', ';a="\x7f"', ';a="\\\0"', ";a=\t", ";a=b=c", ';a=b"c"']) {
      assertRefused(`1${extension}\r\na\r\n0\r\n\r\n`, "BAD_REQUEST");
      assertRefused(`1${extension}\na\r\n0\r\n\r\n`, "BAD_REQUEST");
    }
  });

  it("§7.1.1: bounds the extensions of a line to 256 bytes and of a body to 16 KiB", () => {
    assert.deepEqual(decodeChunked([bytesOf(`1;${"x".repeat(256)}\r\na\r\n0\r\n\r\n`)]), done("a"));
    assertRefused(`1;${"x".repeat(257)}`, "BAD_REQUEST");
    const chunk = `1;${"x".repeat(256)}\r\na\r\n`;
    assert.deepEqual(decodeChunked([bytesOf(chunk.repeat(64) + "0\r\n\r\n")]), done("a".repeat(64)));
    assert.equal(decodeChunked([bytesOf(chunk.repeat(65))]).error, "BAD_REQUEST");
    assert.equal(decodeChunked(oneByOne(bytesOf(chunk.repeat(64) + "1;y"))).error, "BAD_REQUEST");
  });
});

describe("ChunkedBodyDecoder trailers (RFC 9110 §6.5)", () => {
  it("reads them, whatever the cuts", () => {
    for (const chunks of cutEverywhere(bytesOf("1\r\na\r\n0\r\nX-Sum: \t1 2\t \r\nempty:\r\nx: \xe9\r\n\r\nrest"))) {
      assert.deepEqual(decodeChunked(chunks), {
        body: "a",
        isDone: true,
        rest: "rest",
        trailers: ["X-Sum", "1 2", "empty", "", "x", "\xe9"],
        error: undefined,
      });
    }
  });

  for (const line of [
    "X: a\n",
    "\n",
    "\r\r\n",
    "\ra\r\n",
    "X: a\rb\r\n",
    "X: a\r\r\n",
    "X: a\r\n b\r\n",
    " X: a\r\n",
    "X : a\r\n",
    "X\r\n",
    ": a\r\n",
    "X Y: a\r\n",
    "X\xe9: a\r\n",
    "X: a\x00\r\n",
    "X: \x7f\r\n",
    "X: \x0b\r\n",
  ]) {
    it(`refuses ${JSON.stringify(line)}`, () => assertRefused(`0\r\n${line}\r\n`, "BAD_REQUEST"));
  }

  for (const name of [
    "Authorization",
    "Cache-Control",
    "CONNECTION",
    "Content-Encoding",
    "content-length",
    "Content-Range",
    "Content-Type",
    "Cookie",
    "Expect",
    "Host",
    "Proxy-Authorization",
    "Set-Cookie",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "WWW-Authenticate",
  ]) {
    it(`§6.5.1: refuses ${name}`, () => assertRefused(`0\r\n${name}: 1\r\n`, "BAD_REQUEST"));
  }

  it("refuses more than maxTrailerBytes as they arrive, and more than maxTrailerCount", () => {
    const line = `X: ${"x".repeat(64 - 5)}\r\n`;
    assert.equal(decodeChunked([bytesOf(`0\r\n${line}\r\n`)]).isDone, true);
    assert.equal(decodeChunked(oneByOne(bytesOf(`0\r\n${line}\r\n`))).isDone, true);
    assertRefused(`0\r\nx${line}`, "HEADERS_TOO_LARGE");
    assertRefused(`0\r\n${line}y`, "HEADERS_TOO_LARGE");
    assertRefused(`0\r\n${"x".repeat(65)}`, "HEADERS_TOO_LARGE");
    assert.equal(decodeChunked([bytesOf(`0\r\n${"A: b\r\n".repeat(3)}\r\n`)]).isDone, true);
    assertRefused(`0\r\n${"A: b\r\n".repeat(4)}\r\n`, "HEADERS_TOO_LARGE");
  });
});

describe("ChunkedBodyDecoder properties", () => {
  const chunk = fc.record({
    data: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    upper: fc.boolean(),
    zeros: fc.nat(5),
    extension: fc.constantFrom("", ";a", ";a=b;c", ';a="b;\\"c"'),
  });

  it("gives back what was sent, whatever the cuts", () => {
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 10 }), fc.array(fc.nat(900), { maxLength: 12 }), (sent, cuts) => {
        let text = "";
        let body = "";
        for (const { data, upper, zeros, extension } of sent) {
          const size = data.length.toString(16).padStart(zeros, "0");
          text += `${upper ? size.toUpperCase() : size}${extension}\r\n${latin1(data)}\r\n`;
          body += latin1(data);
        }
        const bytes = bytesOf(`${text}0\r\nX: y\r\n\r\nrest`);
        for (const chunks of [[bytes], oneByOne(bytes), cutAt(bytes, cuts)]) {
          const expected = { body, isDone: true, rest: "rest", trailers: ["X", "y"], error: undefined };
          assert.deepEqual(decodeChunked(chunks), expected);
        }
      }),
    );
  });

  it("answers every change of one byte the same, whole and byte by byte", () => {
    const sample = "5;e=f\r\nhello\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nX-T: a b\r\n\r\n";
    for (let at = 0; at < sample.length; at++) {
      for (let change = 0; change < 256; change++) {
        const bytes = bytesOf(sample);
        bytes[at] = change;
        assert.deepEqual(decodeChunked(oneByOne(bytes)), decodeChunked([bytes]), `${at} ${change}`);
      }
    }
  });

  it("answers any bytes with a body or a ChannelError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom("", "5\r\n", "0\r\n", "1;"), (bytes, before) => {
        const all = Buffer.concat([bytesOf(before), bytes]);
        assert.deepEqual(decodeChunked(oneByOne(all)).error, decodeChunked([all]).error);
      }),
    );
  });
});
