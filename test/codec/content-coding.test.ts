import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { acceptsGzip } from "../../src/codec/content-coding.ts";

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
