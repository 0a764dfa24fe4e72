import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hasListMember, isAuthority, isFieldValue, isToken, trimSpace } from "../../src/codec/http1-syntax.ts";

describe("RFC 9110 §5.6.2: a token", () => {
  it("is one or more tchar, and nothing else of the first 300 characters is one", () => {
    const tchars = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (let code = 0; code < 300; code++) {
      const char = String.fromCharCode(code);
      assert.equal(isToken(char), tchars.includes(char), `U+${code.toString(16)}`);
      assert.equal(isToken(`a${char}`), tchars.includes(char), `a, U+${code.toString(16)}`);
    }
  });

  it("is not empty", () => {
    assert.equal(isToken(""), false);
  });
});

describe("RFC 9110 §5.5: a field value", () => {
  it("has no control but HTAB and no character above U+00FF", () => {
    for (let code = 0; code < 300; code++) {
      const allowed = code === 9 || (code >= 0x20 && code !== 0x7f && code <= 0xff);
      assert.equal(isFieldValue(`a${String.fromCharCode(code)}b`), allowed, `U+${code.toString(16)}`);
    }
    assert.equal(isFieldValue("\u{1f600}"), false);
  });

  it("may be empty", () => {
    assert.equal(isFieldValue(""), true);
  });
});

describe("RFC 9110 §5.6.1: a list", () => {
  for (const value of [
    "close",
    "Close",
    "close,a",
    "a,close",
    "a, CLOSE ,b",
    "\tclose\t",
    ",,close,,",
    "a,b,c, close",
  ]) {
    it(`holds "close": ${JSON.stringify(value)}`, () => assert.equal(hasListMember(value, "close"), true));
  }
  for (const value of ["", "clos", "closed", "xclose", "close;a", "clo se", "a close", "\u00a0close", "close\u000b"]) {
    it(`does not hold "close": ${JSON.stringify(value)}`, () => assert.equal(hasListMember(value, "close"), false));
  }
});

describe("RFC 9110 §5.6.3: optional white space", () => {
  it("is SP and HTAB alone", () => {
    assert.equal(trimSpace(" \t a b\t "), "a b");
    assert.equal(trimSpace(" \t "), "");
    assert.equal(trimSpace("\u00a0a\u000c"), "\u00a0a\u000c");
  });
});

describe("RFC 9110 §7.2 and RFC 3986 §3.2.2: an authority", () => {
  const good = [
    "localhost",
    "localhost:",
    "localhost:0",
    "localhost:4347",
    "localhost:65535",
    "localhost:00080",
    "127.0.0.1:9090",
    "EXAMPLE.com",
    "a_b.example",
    "xn--bcher-kva.example",
    "b%C3%BCcher.example",
    "a!$&'()*+,;=b",
    "[::]",
    "[::1]:8080",
    "[1::]",
    "[2001:db8::7]",
    "[1:2:3:4:5:6:7:8]",
    "[1:2:3:4:5:6:7::]",
    "[::ffff:192.0.2.1]",
    "[1:2:3:4:5:6:192.0.2.1]:",
  ];
  for (const text of good) it(`is ${text}`, () => assert.equal(isAuthority(text), true));

  const bad = [
    "",
    ":",
    ":80",
    " ",
    "a b",
    "a\tb",
    "user@host",
    "host/path",
    "host\\path",
    "host?query",
    "host#fragment",
    "host:es",
    "host:()",
    "host:-1",
    "host:+1",
    "host:65536",
    "host:000080",
    "host:99999999999",
    "host:80:80",
    "host:80 ",
    'a"b',
    "a<b",
    "a%",
    "a%4",
    "a%4g",
    "h\u00f6st",
    "[",
    "[]",
    "[::1",
    "[::1]8080",
    "[::1]:x",
    "x[::1]",
    "[1:2:3:4:5:6:7]",
    "[1:2:3:4:5:6:7:8:9]",
    "[1:2:3:4:5:6:7:8::]",
    "[1::2::3]",
    "[:::]",
    "[:1::]",
    "[12345::]",
    "[g::]",
    "[::192.0.2.256]",
    "[::192.0.2]",
    "[::192.0.02.1]",
    "[192.0.2.1::]",
    "[fe80::1%25eth0]",
    "[v1.a]",
  ];
  for (const text of bad) it(`is not ${JSON.stringify(text)}`, () => assert.equal(isAuthority(text), false));
});
