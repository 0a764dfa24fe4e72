import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { acceptsGzip, acceptsType } from "../../src/codec/accept.ts";

describe("acceptsGzip: RFC 9110 §12.5.3", () => {
  const yes = [
    "gzip",
    "GZip",
    "x-gzip",
    "gzip, deflate, br",
    "deflate,gzip",
    "br;q=1.0, gzip;q=0.8, *;q=0.1",
    "gzip;q=0.001",
    "gzip;q=1",
    "gzip;q=1.000",
    "gzip ; Q = 0.5",
    "*",
    "*;q=0.5",
    "identity;q=0, *",
    "identity, gzip;q=0.1",
    ", gzip ,",
  ];
  for (const value of yes) it(`takes ${JSON.stringify(value)}`, () => assert.equal(acceptsGzip(value), true));

  const no = [
    undefined,
    null,
    "",
    "identity",
    "deflate, br",
    "gzip;q=0",
    "gzip;q=0.000",
    "gzip;q=0, *",
    "*;q=0",
    "*, gzip;q=0.0",
    "gzip;q=0, x-gzip",
    "gzip;q=2",
    "gzip;q=-1",
    "gzip;q=0.1234",
    "gzip;q=",
    "gzip;level=9",
    "gzipped",
    "not gzip",
  ];
  for (const value of no) it(`does not take ${JSON.stringify(value)}`, () => assert.equal(acceptsGzip(value), false));
});

describe("acceptsType: RFC 9110 §12.5.1", () => {
  const takes = (value: string): boolean => acceptsType(value, "text/event-stream");

  it("takes the type by name, in any case, with parameters, anywhere in the list", () => {
    for (const value of [
      "text/event-stream",
      "Text/Event-Stream",
      "application/json, text/event-stream",
      "application/json,\ttext/event-stream ;q=0.001",
      "text/event-stream;charset=utf-8",
      "text/event-stream; Q = 1",
      'text/html;title="a, b", text/event-stream',
      ", text/event-stream ,",
      "text/event-stream;q=0, text/event-stream;charset=utf-8",
    ]) {
      assert.equal(takes(value), true, value);
    }
  });

  it("does not take a weight of zero, a range, or a name inside something else", () => {
    for (const value of [
      "text/event-stream;q=0",
      "text/event-stream ; Q = 0.000",
      'text/event-stream;q="0"',
      "text/event-stream;charset=utf-8;q=0.0",
      "*/*",
      "text/*",
      "",
      "text/event-streams",
      "x-text/event-stream",
      'text/html;title="text/event-stream"',
      'text/html;title=", text/event-stream, "',
      'text/html;title=", text/event-stream',
    ]) {
      assert.equal(takes(value), false, value);
    }
  });
});
