// The cached heads of ordinary responses are the same bytes as uncached ones.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cachedHead } from "../../src/protocol/response-head-cache.ts";

const DATE = "Date: Tue, 24 Nov 2026 10:00:00 GMT\r\n";
const LATER = "Date: Tue, 24 Nov 2026 10:00:01 GMT\r\n";

describe("cachedHead", () => {
  it("is the whole head, once it was asked for twice", () => {
    assert.equal(cachedHead(200, ["Content-Type", "text/plain"], DATE, "Server: x\r\n", 5), undefined);
    assert.equal(
      cachedHead(200, ["Content-Type", "text/plain"], DATE, "Server: x\r\n", 5),
      `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${DATE}Server: x\r\nContent-Length: 5\r\n\r\n`,
    );
    cachedHead(404, [], DATE, "", 0);
    assert.equal(cachedHead(404, [], DATE, "", 0), `HTTP/1.1 404 Not Found\r\n${DATE}Content-Length: 0\r\n\r\n`);
  });

  it("has the length of the body of this response, whatever the lengths before it were", () => {
    cachedHead(201, [], DATE, "", 7);
    for (const length of [7, 7, 7, 8, 7, 0, 0, 123_456, 8, 8])
      assert.equal(
        cachedHead(201, [], DATE, "", length),
        `HTTP/1.1 201 Created\r\n${DATE}Content-Length: ${length}\r\n\r\n`,
      );
  });

  it("distinguishes heads that differ in one part only", () => {
    const heads: [number, string[], string, string][] = [
      [200, ["A", "1"], DATE, ""],
      [200, ["A", "2"], DATE, ""],
      [200, ["B", "1"], DATE, ""],
      [200, ["A", "1", "B", "2"], DATE, ""],
      [216, ["A", "1"], DATE, ""],
      [200, ["A", "1"], LATER, ""],
      [200, ["A", "1"], DATE, "Server: x\r\n"],
    ];
    const made = heads.map((head) => {
      cachedHead(...head, 5);
      return cachedHead(...head, 5);
    });
    assert.equal(new Set(made).size, heads.length);
    // The order of requests does not matter, nor does the identity of equal arrays.
    for (let round = 0; round < 3; round++) {
      heads.forEach(([status, fields, date, server], i) => {
        // Undefined if another head has replaced it.
        assert.ok([undefined, made[i]].includes(cachedHead(status, [...fields], date, server, 5)));
        assert.equal(cachedHead(status, [...fields], date, server, 5), made[i]);
      });
    }
  });

  it("caches no head with a field that the connection decides", () => {
    for (const name of ["Date", "server", "Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding"]) {
      for (let times = 0; times < 3; times++) assert.equal(cachedHead(200, [name, "1"], DATE, "", 5), undefined);
    }
    cachedHead(200, ["Data", "1"], DATE, "", 5);
    assert.equal(cachedHead(200, ["Data", "1"], DATE, "", 5)?.includes("Data: 1\r\n"), true);
  });

  it("makes nothing, however often it is asked, of what could not be read back as it is", () => {
    for (const [status, fields, code] of [
      [200, ["A", "b\r\nC: d"], "BAD_HEADER"],
      [200, ["A b", "c"], "BAD_HEADER"],
      [99, [], "BAD_STATUS"],
    ] as const) {
      assert.equal(cachedHead(status, fields, DATE, "", 5), undefined);
      for (let times = 0; times < 2; times++) assert.throws(() => cachedHead(status, fields, DATE, "", 5), { code });
    }
  });
});
