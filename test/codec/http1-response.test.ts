import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { describe, it } from "node:test";
import type { ChannelError } from "../../src/base/errors.ts";
import {
  CONTINUE,
  encodeChunk,
  encodeResponseHead,
  LAST_CHUNK,
  reasonPhrase,
  statusHasBody,
} from "../../src/codec/http1-response.ts";

const throwsCode = (code: string) => (error: unknown) => (error as ChannelError).code === code;

describe("encodeResponseHead (RFC 9112 §4)", () => {
  it("writes the status line and the fields as given, without the blank line", () => {
    assert.equal(
      encodeResponseHead(200, ["Content-Type", "text/plain", "x-tWo", "", "Set-Cookie", "a=1", "Set-Cookie", "b=\xe9"]),
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nx-tWo: \r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xe9\r\n",
    );
    assert.equal(encodeResponseHead(404, []), "HTTP/1.1 404 Not Found\r\n");
    assert.equal(encodeResponseHead(404, []), "HTTP/1.1 404 Not Found\r\n");
  });

  it("keeps the space before an empty reason phrase", () => {
    assert.equal(encodeResponseHead(299, []), "HTTP/1.1 299 \r\n");
    assert.equal(encodeResponseHead(999, []), "HTTP/1.1 999 \r\n");
    assert.equal(encodeResponseHead(100, []), "HTTP/1.1 100 Continue\r\n");
  });

  for (const status of [99, 1000, 0, -200, 200.5, Number.NaN, Number.POSITIVE_INFINITY, "200" as unknown as number]) {
    it(`refuses the status ${String(status)} (${typeof status})`, () => {
      assert.throws(() => encodeResponseHead(status, []), throwsCode("BAD_STATUS"));
    });
  }

  for (const name of ["", " ", "a b", "a:", "a\r\nb", "\u00e9", "a\0", "\u{1f600}", "(a)"]) {
    it(`refuses the name ${JSON.stringify(name)}`, () => {
      assert.throws(() => encodeResponseHead(200, [name, "x"]), throwsCode("BAD_HEADER"));
    });
  }

  for (const value of [
    "a\r\nb",
    "a\rb",
    "a\nb",
    "a\0b",
    "\x01",
    "\x0b",
    "\x1f",
    "\x7f",
    "\u0100",
    "\u20ac",
    "\u{1f600}",
    "\u560d",
  ]) {
    it(`refuses the value ${JSON.stringify(value)}`, () => {
      assert.throws(() => encodeResponseHead(200, ["a", value]), throwsCode("BAD_HEADER"));
    });
  }
});

describe("reasonPhrase (RFC 9110 §15)", () => {
  it("is empty for a status without a name", () => {
    for (const status of [0, 199, 299, 306, 599, 999]) assert.equal(reasonPhrase(status), "");
  });

  it("names every status that the platform names", () => {
    for (const status of Object.keys(STATUS_CODES)) {
      // 509 was never registered.
      assert.equal(reasonPhrase(Number(status)) !== "", status !== "509", status);
    }
    assert.equal(reasonPhrase(413), "Content Too Large");
    assert.equal(reasonPhrase(431), "Request Header Fields Too Large");
    assert.equal(reasonPhrase(426), "Upgrade Required");
  });
});

describe("statusHasBody (RFC 9110 §6.4.1)", () => {
  it("is false for 1xx, 204, 205 and 304 alone", () => {
    const without = [100, 101, 103, 199, 204, 205, 304];
    for (const status of [...without, 200, 201, 206, 300, 303, 305, 400, 404, 500, 599]) {
      assert.equal(statusHasBody(status), !without.includes(status), String(status));
    }
  });
});

describe("chunk framing (RFC 9112 §7.1)", () => {
  it("writes a size in bare hex", () => {
    assert.equal(encodeChunk(1), "1\r\n");
    assert.equal(encodeChunk(15), "f\r\n");
    assert.equal(encodeChunk(16), "10\r\n");
    assert.equal(encodeChunk(65_536), "10000\r\n");
    assert.equal(encodeChunk(2 ** 32), "100000000\r\n");
  });

  it("ends a body without trailers", () => assert.equal(LAST_CHUNK, "0\r\n\r\n"));

  it("RFC 9110 §15.2.1: asks for the body", () => assert.equal(CONTINUE, "HTTP/1.1 100 Continue\r\n\r\n"));
});
