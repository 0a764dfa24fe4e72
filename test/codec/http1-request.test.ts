// Long because it is a list: every rule of the decoder with the literal bytes that break it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { latin1 } from "../../src/base/bytes.ts";
import { ChannelError, type ErrorCode } from "../../src/base/errors.ts";
import { REQUEST_LIMITS, RequestDecoder, type RequestHead, type RequestLimits } from "../../src/codec/http1-request.ts";
import { bytesOf, cutAt, cutEverywhere, oneByOne } from "../support/cut.ts";

/** All that a decoder answers for these chunks: heads, then the error if one was thrown. */
interface Outcome {
  readonly heads: RequestHead[];
  readonly error: ErrorCode | undefined;
  readonly status: number | undefined;
  readonly isIdle: boolean;
}

function decode(chunks: readonly Uint8Array[], limits: RequestLimits = REQUEST_LIMITS): Outcome {
  const decoder = new RequestDecoder(limits);
  const heads: RequestHead[] = [];
  try {
    for (const chunk of chunks) {
      decoder.push(chunk);
      for (let head = decoder.next(); head !== undefined; head = decoder.next()) heads.push(head);
    }
    return { heads, error: undefined, status: undefined, isIdle: decoder.isIdle };
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    return { heads, error: error.code, status: error.status, isIdle: false };
  }
}

function decodeOne(text: string): RequestHead {
  const { heads, error } = decode([bytesOf(text)]);
  assert.equal(error, undefined, error);
  assert.equal(heads.length, 1);
  return heads[0]!;
}

/** Asserts the same error for all cuts of the bytes. */
function assertRefused(text: string, error: ErrorCode, status: number, limits?: RequestLimits): void {
  for (const chunks of cutEverywhere(bytesOf(text))) {
    const outcome = decode(chunks, limits);
    assert.deepEqual([outcome.error, outcome.status], [error, status], `${chunks.length} chunks`);
    assert.deepEqual(outcome.heads, []);
  }
}

const HOST = "Host: a\r\n";

describe("RequestDecoder", () => {
  it("RFC 9112 §3: reads a request line and the fields", () => {
    assert.deepEqual(
      decodeOne("GET /hello?x=1 HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nX-Two:  b c\t \r\nx-empty:\r\n\r\n"),
      {
        method: "GET",
        target: "/hello?x=1",
        minor: 1,
        fields: ["Host", "127.0.0.1:9090", "X-Two", "b c", "x-empty", ""],
        host: "127.0.0.1:9090",
        contentLength: 0,
        chunked: false,
        keepAlive: true,
        expectContinue: false,
        upgrade: "",
      },
    );
  });

  it("RFC 9112 §2.3: reads an HTTP/1.0 head without any field", () => {
    assert.deepEqual(decodeOne("GET / HTTP/1.0\r\n\r\n"), {
      method: "GET",
      target: "/",
      minor: 0,
      fields: [],
      host: "",
      contentLength: 0,
      chunked: false,
      keepAlive: false,
      expectContinue: false,
      upgrade: "",
    });
  });

  it("RFC 9110 §5.5: keeps obs-text as latin1 and tabs inside a value", () => {
    assert.deepEqual(decodeOne(`GET / HTTP/1.1\r\n${HOST}X: \xe9\t\xff~\r\n\r\n`).fields.slice(2), [
      "X",
      "\xe9\t\xff~",
    ]);
  });

  it("RFC 9110 §9.1: takes any token as a method, with its case", () => {
    for (const method of ["get", "PROPFIND", "M-SEARCH", "!#$%&'*+-.^_`|~", "A".repeat(64)]) {
      assert.equal(decodeOne(`${method} / HTTP/1.1\r\n${HOST}\r\n`).method, method);
    }
  });

  it("gives heads one after another from one chunk, and the bytes after the last", () => {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    decoder.push(bytesOf(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\nrest`));
    assert.equal(decoder.next()?.target, "/1");
    assert.equal(decoder.isIdle, false);
    assert.equal(decoder.next()?.target, "/2");
    assert.equal(latin1(decoder.takeRest()!), "rest");
    assert.equal(decoder.takeRest(), undefined);
    assert.equal(decoder.next(), undefined);
    assert.equal(decoder.isIdle, true);
  });

  it("returns the rest as a view of the pushed bytes", () => {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    const bytes = bytesOf("PUT / HTTP/1.0\r\n\r\nbody");
    decoder.push(bytes.subarray(0, 3));
    assert.equal(decoder.next(), undefined);
    decoder.push(bytes.subarray(3));
    assert.notEqual(decoder.next(), undefined);
    const rest = decoder.takeRest()!;
    assert.equal(latin1(rest), "body");
    assert.equal(rest.buffer, bytes.buffer);
  });

  it("takes several pushes before one next", () => {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    for (const chunk of oneByOne(bytesOf(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`)))
      decoder.push(chunk);
    assert.equal(decoder.next()?.target, "/1");
    decoder.push(bytesOf("GET /3 HTTP/1.0\r\n\r\n"));
    assert.equal(decoder.next()?.target, "/2");
    assert.equal(decoder.next()?.target, "/3");
    assert.equal(decoder.next(), undefined);
  });

  it("takes empty chunks", () => {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    decoder.push(new Uint8Array(0));
    assert.equal(decoder.next(), undefined);
    assert.equal(decoder.isIdle, true);
    decoder.push(bytesOf("GET / HTTP/1.0\r"));
    assert.equal(decoder.next(), undefined);
    decoder.push(new Uint8Array(0));
    assert.equal(decoder.next(), undefined);
    decoder.push(bytesOf("\n\r\n"));
    assert.equal(decoder.next()?.target, "/");
  });

  it("carries nothing over from one head to the next", () => {
    const first =
      "POST http://b/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\nExpect: 100-continue\r\nUpgrade: x\r\n\r\n";
    const second = `POST /2 HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`;
    const { heads } = decode([bytesOf(first + second + "GET / HTTP/1.0\r\n\r\n")]);
    assert.deepEqual(heads[1], decodeOne(second));
    assert.deepEqual(heads[2], decodeOne("GET / HTTP/1.0\r\n\r\n"));
  });

  it("is idle until the first byte of a request, and again after its head", () => {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    assert.equal(decoder.isIdle, true);
    for (const chunk of oneByOne(bytesOf("GET / HTTP/1.0\r\n\r"))) {
      decoder.push(chunk);
      assert.equal(decoder.next(), undefined);
      assert.equal(decoder.isIdle, false);
    }
    decoder.push(bytesOf("\n"));
    assert.equal(decoder.next()?.target, "/");
    assert.equal(decoder.isIdle, true);
  });

  it("RFC 9112 §2.2: skips up to four empty lines before a request line, and is idle after them", () => {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    decoder.push(bytesOf("\r\n\r\n"));
    assert.equal(decoder.next(), undefined);
    assert.equal(decoder.isIdle, true);
    for (const chunks of cutEverywhere(bytesOf("\r\n".repeat(4) + "GET / HTTP/1.0\r\n\r\n"))) {
      assert.equal(decode(chunks).heads[0]?.target, "/");
    }
    assertRefused("\r\n".repeat(5), "BAD_REQUEST", 400);
  });

  it("refuses a TLS client at its first byte", () => {
    assert.equal(decode([Uint8Array.of(0x16)]).error, "BAD_REQUEST");
    assert.equal(decode([Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00)]).error, "BAD_REQUEST");
  });

  it("RFC 9113 §3.4: answers the preface of HTTP/2 with 505", () => {
    assertRefused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "VERSION_NOT_SUPPORTED", 505);
  });
});

describe("RequestDecoder and minor versions", () => {
  it("RFC 9110 §2.5: reads HTTP/1.2 and later as HTTP/1.1", () => {
    for (const version of ["HTTP/1.2", "HTTP/1.9"]) {
      for (const chunks of cutEverywhere(bytesOf(`GET / ${version}\r\n${HOST}\r\n`))) {
        const { heads, error } = decode(chunks);
        assert.equal(error, undefined);
        assert.deepEqual([heads[0]?.minor, heads[0]?.keepAlive], [1, true]);
      }
    }
    assertRefused("GET / HTTP/1.2\r\n\r\n", "BAD_REQUEST", 400);
  });
});

describe("RequestDecoder refuses what two parsers could read differently", () => {
  const badRequestLines = [
    "\nGET / HTTP/1.1\r\n",
    "\rGET / HTTP/1.1\r\n",
    " GET / HTTP/1.1\r\n",
    "\tGET / HTTP/1.1\r\n",
    "GET  / HTTP/1.1\r\n",
    "GET /  HTTP/1.1\r\n",
    "GET / HTTP/1.1 \r\n",
    "GET\t/ HTTP/1.1\r\n",
    "GET /\tHTTP/1.1\r\n",
    "GET / HTTP/1.1\t\r\n",
    "GET / HTTP/1.1\n",
    "GET / HTTP/1.1\r\r\n",
    "GET / HTTP/1.1\rHost: a\r\n",
    "GET /\r\n",
    "GET / \r\n",
    "GET\r\n",
    "GET \r\n",
    "GET /\n",
    "GET / HTTP\n",
    "GET  HTTP/1.1\r\n",
    "GE\x00T / HTTP/1.1\r\n",
    "G(T / HTTP/1.1\r\n",
    "G\xc9T / HTTP/1.1\r\n",
    "GET:/ HTTP/1.1\r\n",
    "GET / http/1.1\r\n",
    "GET / HTTP/1\r\n",
    "GET / HTTP/1.\r\n",
    "GET / HTTP/11\r\n",
    "GET / HTTP/1.10\r\n",
    "GET / HTTP/01.1\r\n",
    "GET / HTTP/1,1\r\n",
    "GET / HTTP/a.b\r\n",
    "GET / HTTPS/1.1\r\n",
    "GET / XHTTP/1.1\r\n",
    "GET / HTTP/1.1 HTTP/1.1\r\n",
  ];
  for (const line of badRequestLines) {
    it(`RFC 9112 §3: request line ${JSON.stringify(line)}`, () => {
      assertRefused(line, "BAD_REQUEST", 400);
      assertRefused(`${line}${HOST}\r\n`, "BAD_REQUEST", 400);
    });
  }

  const badTargets = [
    "/a b",
    "/\x00",
    "/\x7f",
    "/\xe9",
    "/\u0085",
    "/a#b",
    "#",
    "hello",
    "*",
    "**",
    "a:80",
    "http:/a/",
    "http://",
    "http:///x",
    "http://?x",
    "http://u@h/",
    "http://u:p@h/",
    "http://h:x/",
    "http://[::1/",
    "ftp://a/",
    "httpx://a/",
    "?x",
    "\\x",
  ];
  for (const target of badTargets) {
    it(`RFC 9112 §3.2: target ${JSON.stringify(target)}`, () => {
      assertRefused(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`, "BAD_REQUEST", 400);
    });
  }

  for (const [method, target] of [
    ["CONNECT", "/"],
    ["CONNECT", "*"],
    ["CONNECT", "a"],
    ["CONNECT", "a:"],
    ["CONNECT", ":80"],
    ["CONNECT", "http://a/"],
    ["CONNECT", "u@a:80"],
    ["OPTIONS", "**"],
    ["options", "*"],
  ]) {
    it(`RFC 9112 §3.2: target ${target} with ${method}`, () => {
      assertRefused(`${method} ${target} HTTP/1.1\r\n${HOST}\r\n`, "BAD_REQUEST", 400);
    });
  }

  for (const version of ["HTTP/2.0", "HTTP/0.9", "HTTP/9.9", "HTTP/3.1", "HTTP/0.1"]) {
    it(`RFC 9110 §15.6.6: version ${version}`, () => {
      assertRefused(`GET / ${version}\r\n${HOST}\r\n`, "VERSION_NOT_SUPPORTED", 505);
    });
  }

  const badFields = [
    "X: a\n",
    "X: a\r\r\n",
    "X: a\rb\r\n",
    "X: a\r\n\n",
    "X: a\r\n b\r\n",
    "X: a\r\n\tb\r\n",
    " X: a\r\n",
    "X : a\r\n",
    "X\t: a\r\n",
    "X\r\n",
    "X\n",
    "X\r\n: a\r\n",
    ": a\r\n",
    "X Y: a\r\n",
    "X(: a\r\n",
    "X\x00: a\r\n",
    "X\xe9: a\r\n",
    '"X": a\r\n',
    "X: \x00\r\n",
    "X: a\x00b\r\n",
    "X: \x01\r\n",
    "X: \x08\r\n",
    "X: \x0b\r\n",
    "X: \x0c\r\n",
    "X: \x1f\r\n",
    "X: \x7f\r\n",
    "X: a\r\n\rb",
  ];
  for (const field of badFields) {
    it(`RFC 9112 §5: field line ${JSON.stringify(field)}`, () => {
      assertRefused(`GET / HTTP/1.1\r\n${HOST}${field}`, "BAD_REQUEST", 400);
      assertRefused(`GET / HTTP/1.1\r\n${field}${HOST}\r\n`, "BAD_REQUEST", 400);
    });
  }

  for (const [what, fields] of [
    ["none", "X: a\r\n"],
    ["two", "Host: a\r\nHost: b\r\n"],
    ["two equal ones", "Host: a\r\nhOST: a\r\n"],
    ["an empty one", "Host:\r\n"],
    ["a blank one", "Host: \t \r\n"],
    ["a space inside", "Host: a b\r\n"],
    ["a list", "Host: a, b\r\n"],
    ["userinfo", "Host: u@a\r\n"],
    ["a path", "Host: a/b\r\n"],
    ["a backslash", "Host: a\\b\r\n"],
    ["a query", "Host: a?b\r\n"],
    ["a fragment", "Host: a#b\r\n"],
    ["a port above 65535", "Host: a:65536\r\n"],
    ["a port that is signed", "Host: a:+80\r\n"],
    ["a port that is no number", "Host: a:es\r\n"],
    ["a scheme", "Host: http://a\r\n"],
  ] as const) {
    it(`RFC 9112 §3.2: Host, ${what}`, () => {
      assertRefused(`GET / HTTP/1.1\r\n${fields}\r\n`, "BAD_REQUEST", 400);
      assertRefused(`GET http://a/ HTTP/1.1\r\n${fields}\r\n`, "BAD_REQUEST", 400);
      if (what !== "none") assertRefused(`GET / HTTP/1.0\r\n${fields}\r\n`, "BAD_REQUEST", 400);
    });
  }

  for (const value of [
    "",
    "+1",
    "-1",
    "1.0",
    "0x1",
    "1e3",
    "1 2",
    "a",
    "1a",
    "1,1",
    "5, 5",
    ",5",
    "\xb2",
    "1;",
    "1_0",
    "Infinity",
  ]) {
    it(`RFC 9110 §8.6: Content-Length ${JSON.stringify(value)}`, () => {
      assertRefused(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${value}\r\n\r\n`, "BAD_REQUEST", 400);
    });
  }

  it("RFC 9112 §6.3: Content-Length twice, even when equal", () => {
    assertRefused(`POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 5\r\n\r\n`, "BAD_REQUEST", 400);
    assertRefused(`POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\ncontent-length: 0\r\n\r\n`, "BAD_REQUEST", 400);
  });

  it("RFC 9110 §15.5.14: Content-Length above 2^53-1 with 413", () => {
    for (const value of ["9007199254740992", "99999999999999999999", "9".repeat(400)]) {
      assertRefused(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${value}\r\n\r\n`, "BODY_TOO_LARGE", 413);
    }
  });

  it("RFC 9112 §6.1: Content-Length together with Transfer-Encoding", () => {
    const length = "Content-Length: 5\r\n";
    const coding = "Transfer-Encoding: chunked\r\n";
    assertRefused(`POST / HTTP/1.1\r\n${HOST}${length}${coding}\r\n`, "BAD_REQUEST", 400);
    assertRefused(`POST / HTTP/1.1\r\n${coding}${HOST}${length}\r\n`, "BAD_REQUEST", 400);
    assertRefused(`POST / HTTP/1.1\r\n${HOST}${length}Transfer-Encoding: gzip\r\n\r\n`, "BAD_REQUEST", 400);
  });

  it("RFC 9112 §6.1: Transfer-Encoding in HTTP/1.0", () => {
    assertRefused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "BAD_REQUEST", 400);
    assertRefused("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", "BAD_REQUEST", 400);
  });

  for (const value of [
    "",
    "gzip",
    "identity",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "chunked,",
    "xchunked",
    "chunked;a=b",
    '"chunked"',
    "chunked\r\nTransfer-Encoding: chunked",
    "chunked\r\nTransfer-Encoding: identity",
    "\r\nTransfer-Encoding: chunked",
  ]) {
    it(`RFC 9112 §6.1: Transfer-Encoding ${JSON.stringify(value)} with 501`, () => {
      assertRefused(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: ${value}\r\n\r\n`, "NOT_IMPLEMENTED", 501);
    });
  }

  for (const value of ["", ",", "200-ok", "100-continue, x", "100-continue;a", "100"]) {
    it(`RFC 9110 §10.1.1: Expect ${JSON.stringify(value)} with 417`, () => {
      assertRefused(`POST / HTTP/1.1\r\n${HOST}Expect: ${value}\r\n\r\n`, "EXPECTATION_FAILED", 417);
    });
  }
});

describe("RequestDecoder reads the fields that frame a message", () => {
  const head = (lines: string, minor = 1) => decodeOne(`POST / HTTP/1.${minor}\r\n${HOST}${lines}\r\n`);

  it("RFC 9110 §8.6: Content-Length", () => {
    for (const [value, length] of [
      ["0", 0],
      ["42", 42],
      ["  7\t", 7],
      ["0010", 10],
      ["9007199254740991", 9007199254740991],
    ] as const) {
      assert.equal(head(`cOnTeNt-LeNgTh: ${value}\r\n`).contentLength, length);
    }
    assert.equal(head("Content-Length: 3\r\n", 0).contentLength, 3);
  });

  it("RFC 9112 §6.1: Transfer-Encoding chunked in any case", () => {
    assert.equal(head("transfer-encoding: chunked\r\n").chunked, true);
    assert.equal(head("TRANSFER-ENCODING:CHUNKED \r\n").chunked, true);
    assert.equal(head("X-Transfer-Encoding: chunked\r\n").chunked, false);
  });

  it("RFC 9112 §9.3: persistence", () => {
    for (const [minor, lines, keepAlive] of [
      [1, "", true],
      [1, "Connection: close\r\n", false],
      [1, "Connection: Close\r\n", false],
      [1, "Connection: keep-alive, close\r\n", false],
      [1, "Connection: upgrade\r\nCONNECTION: x , close\r\n", false],
      [1, "Connection: closed\r\n", true],
      [1, "Connection: keep-alive\r\n", true],
      [0, "", false],
      [0, "Connection: keep-alive\r\n", true],
      [0, "Connection: x\r\nConnection: Keep-Alive\r\n", true],
      [0, "Connection: keep-alive, close\r\n", false],
      [0, "Connection: close\r\nConnection: keep-alive\r\n", false],
    ] as const) {
      assert.equal(head(lines, minor).keepAlive, keepAlive, `HTTP/1.${minor} ${lines}`);
    }
  });

  it("RFC 9110 §10.1.1: Expect, which HTTP/1.0 does not have", () => {
    assert.equal(head("Expect: 100-continue\r\n").expectContinue, true);
    assert.equal(head("expect: 100-Continue\r\n").expectContinue, true);
    assert.equal(head("Expect: 100-continue, ,100-Continue\r\nExpect: 100-continue\r\n").expectContinue, true);
    assert.equal(head("").expectContinue, false);
    assert.equal(head("Expect: 100-continue\r\n", 0).expectContinue, false);
    assert.equal(head("Expect: magic\r\n", 0).expectContinue, false);
  });

  it("RFC 9110 §7.8: Upgrade over several lines, which HTTP/1.0 does not have", () => {
    assert.equal(head("Upgrade: websocket\r\n").upgrade, "websocket");
    assert.equal(head("Upgrade: a/1, b\r\nupgrade: WebSocket\r\n").upgrade, "a/1, b, WebSocket");
    assert.equal(head("Upgrade: websocket\r\n", 0).upgrade, "");
  });

  it("RFC 9112 §3.2: the four forms of a target, and the host of each", () => {
    for (const [method, target, host] of [
      ["GET", "/", "a"],
      ["GET", "//x?y", "a"],
      ["GET", `/"<>[]^\`{|}\\~`, "a"],
      ["OPTIONS", "*", "a"],
      ["OPTIONS", "/x", "a"],
      ["GET", "http://b", "b"],
      ["GET", "HTTPS://b:8443/x?y@z", "b:8443"],
      ["GET", "http://[::1]?q", "[::1]"],
      ["CONNECT", "b:443", "b:443"],
      ["CONNECT", "[::1]:443", "[::1]:443"],
    ] as const) {
      const request = decodeOne(`${method} ${target} HTTP/1.1\r\n${HOST}\r\n`);
      assert.deepEqual([request.method, request.target, request.host], [method, target, host]);
    }
    assert.equal(decodeOne("GET http://b/ HTTP/1.0\r\n\r\n").host, "b");
  });
});

describe("RequestDecoder limits", () => {
  const limits: RequestLimits = { maxHeaderBytes: 64, maxHeaderCount: 3, maxTargetBytes: 16 };
  const head = (fields: string) => `GET / HTTP/1.1\r\n${fields}\r\n`;

  it("RFC 9110 §15.5.15: a target of maxTargetBytes passes, one byte more is 414 as it arrives", () => {
    const target = `/${"x".repeat(15)}`;
    for (const chunks of cutEverywhere(bytesOf(`GET ${target} HTTP/1.1\r\n${HOST}\r\n`))) {
      assert.equal(decode(chunks, limits).heads[0]?.target, target);
    }
    assertRefused(`GET ${target}x`, "TARGET_TOO_LONG", 414, limits);
    assertRefused(`GET ${target}x\x00`, "TARGET_TOO_LONG", 414, limits);
    assert.equal(decode(oneByOne(bytesOf(`GET ${target}`)), limits).error, undefined);
  });

  it("a method of 64 bytes passes, bytes without a space are refused at 65", () => {
    const method = "M".repeat(64);
    assert.equal(decodeOne(`${method} / HTTP/1.1\r\n${HOST}\r\n`).method, method);
    assert.equal(decode([bytesOf(method)]).error, undefined);
    assertRefused(`${method}M`, "BAD_REQUEST", 400, limits);
  });

  it("a request line that never ends is refused, whatever it is made of", () => {
    for (const junk of ["x", "\x00", "\xff", " ", "a b ", "GET / HTTP/1.1", "\r"]) {
      for (const chunks of [[bytesOf(junk.repeat(200))], oneByOne(bytesOf(junk.repeat(200)))]) {
        assert.equal(decode(chunks, limits).error, "BAD_REQUEST", JSON.stringify(junk));
      }
    }
  });

  it("RFC 6585 §5: maxHeaderBytes of field lines pass, one byte more is 431 as it arrives", () => {
    const field = `X: ${"x".repeat(64 - HOST.length - 5)}\r\n`;
    assert.equal((HOST + field).length, 64);
    for (const chunks of cutEverywhere(bytesOf(head(HOST + field)))) {
      assert.equal(decode(chunks, limits).heads.length, 1);
    }
    assertRefused(head(`${HOST}x${field}`), "HEADERS_TOO_LARGE", 431, limits);
    assertRefused(`GET / HTTP/1.1\r\n${HOST}${field}Y`, "HEADERS_TOO_LARGE", 431, limits);
    assertRefused(`GET / HTTP/1.1\r\nX: ${"x".repeat(62)}`, "HEADERS_TOO_LARGE", 431, limits);
    assertRefused(`GET / HTTP/1.1\r\n${"x".repeat(65)}`, "HEADERS_TOO_LARGE", 431, limits);
    assertRefused(`GET / HTTP/1.1\r\nX:${" ".repeat(63)}`, "HEADERS_TOO_LARGE", 431, limits);
    assert.equal(decode([bytesOf(`GET / HTTP/1.1\r\n${"x".repeat(64)}`)], limits).error, undefined);
  });

  it("the limit counts anew for every head", () => {
    const field = `X: ${"x".repeat(40)}\r\n`;
    assert.equal(decode([bytesOf(head(HOST + field).repeat(5))], limits).heads.length, 5);
  });

  it("RFC 6585 §5: maxHeaderCount fields pass, one more is 431", () => {
    for (const chunks of cutEverywhere(bytesOf(head(`${HOST}A: 1\r\nB: 2\r\n`)))) {
      assert.equal(decode(chunks, limits).heads.length, 1);
    }
    assertRefused(head(`${HOST}A: 1\r\nB: 2\r\nC: 3\r\n`), "HEADERS_TOO_LARGE", 431, limits);
  });

  it("takes a long line, byte by byte and in pieces, without reading it again for each", () => {
    const value = "v".repeat(16_000);
    const bytes = bytesOf(`GET /${"t".repeat(8000)} HTTP/1.1\r\n${HOST}X: ${value}\r\nY: z\r\n\r\n`);
    for (const chunks of [[bytes], oneByOne(bytes), cutAt(bytes, [10, 5000, 9000, 20_000, bytes.length - 3])]) {
      assert.deepEqual(decode(chunks).heads[0]?.fields, ["Host", "a", "X", value, "Y", "z"]);
    }
  });

  it("reads a head whose lines cross the text window at every offset", () => {
    const bytes = bytesOf(head(HOST + Array.from({ length: 90 }, (_, i) => `X-${i}: ${"y".repeat(i)}\r\n`).join("")));
    const expected = decode(oneByOne(bytes)).heads[0]!;
    for (let pad = 0; pad < 120; pad++) {
      const before = bytesOf(`GET /${"p".repeat(3900 + pad)} HTTP/1.0\r\n\r\n`);
      const { heads } = decode([Buffer.concat([before, bytes])]);
      assert.deepEqual(heads[1], expected);
    }
  });
});

describe("RequestDecoder properties", () => {
  const tchar = fc.constantFrom(..."!#$%&'*+-.^_`|~09AZaz");
  const token = fc.string({ unit: tchar, minLength: 1, maxLength: 20 });
  const visible = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f);
  const word = fc.array(visible, { minLength: 1, maxLength: 30 }).map((codes) => String.fromCharCode(...codes));
  const value = fc.array(word, { maxLength: 4 }).map((words) => words.join(" "));
  const space = fc.constantFrom("", " ", "\t", "  \t");
  const path = fc.string({ unit: fc.constantFrom(...'az/?%&=.~-_"{}|'), maxLength: 40 }).map((text) => `/${text}`);
  const request = fc.record({
    method: token.filter((name) => name !== "CONNECT"),
    target: path,
    fields: fc.array(
      fc.tuple(
        token.map((name) => `x${name}`),
        value,
        space,
        space,
      ),
      { maxLength: 12 },
    ),
    close: fc.boolean(),
    length: fc.option(fc.maxSafeNat(), { nil: undefined }),
  });

  it("gives back what was sent, whatever the cuts", () => {
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(2000), { maxLength: 12 }),
        (requests, cuts) => {
          const expected: RequestHead[] = [];
          let text = "";
          for (const { method, target, fields, close, length } of requests) {
            const lines: [string, string, string, string][] = [["hOst", "h:1", " ", ""], ...fields];
            if (close) lines.push(["Connection", "a, close", "", "\t"]);
            if (length !== undefined) lines.push(["content-Length", String(length), " ", " "]);
            text += `${method} ${target} HTTP/1.1\r\n`;
            for (const [name, content, before, after] of lines) text += `${name}:${before}${content}${after}\r\n`;
            text += "\r\n";
            expected.push({
              method,
              target,
              minor: 1,
              fields: lines.flatMap((line) => line.slice(0, 2)),
              host: "h:1",
              contentLength: length ?? 0,
              chunked: false,
              keepAlive: !close,
              expectContinue: false,
              upgrade: "",
            });
          }
          const bytes = bytesOf(text);
          for (const chunks of [[bytes], oneByOne(bytes), cutAt(bytes, cuts)]) {
            assert.deepEqual(decode(chunks), { heads: expected, error: undefined, status: undefined, isIdle: true });
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it("answers every change of one byte with heads or a ChannelError, the same whole and byte by byte", () => {
    const samples = [
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n`,
      `\r\nPOST /a?b HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 10\r\nConnection: close, x\r\nExpect: 100-continue\r\n\r\n`,
      `GET http://h:1/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nUpgrade: websocket\r\n\r\n`,
      `CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\nOPTIONS * HTTP/1.0\r\nX:\t y \r\n\r\n`,
    ];
    const changes = bytesOf('\0\t\n\r !"#%*,-./019:;@AZ[\\]_az{\x7f\x80\x8d\xa0\xff');
    for (const sample of samples) {
      for (let at = 0; at < sample.length; at++) {
        for (const change of changes) {
          const bytes = bytesOf(sample);
          bytes[at] = change;
          const whole = decode([bytes]);
          const pieces = decode(oneByOne(bytes));
          // An incomplete bad line is refused at once when it comes in one chunk, else when its end comes.
          if (whole.error !== undefined && pieces.error === undefined) assert.equal(pieces.isIdle, false);
          else assert.deepEqual(pieces, whole, `${at} ${change}`);
        }
        for (const bytes of [
          bytesOf(sample.slice(0, at) + sample.slice(at + 1)),
          bytesOf(sample.slice(0, at + 1) + sample.slice(at)),
        ]) {
          decode([bytes]);
          decode(oneByOne(bytes));
        }
      }
    }
  });

  it("answers any bytes with heads or a ChannelError", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom("", "GET / HTTP/1.1\r\n", "GET /", "A: b\r\n"),
        (bytes, before) => {
          const all = Buffer.concat([bytesOf(before), bytes]);
          decode([all]);
          decode(oneByOne(all));
        },
      ),
    );
  });
});
