import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toResponseFields } from "../../../src/transport/http2/response-head.ts";

const SERVER = { dateField: () => "Date: now\r\n", serverField: "" };

describe("the head of an HTTP/2 response", () => {
  it("may have 64 KiB of fields, as RFC 9113 §6.5.2 counts them; one byte more is BAD_HEADER", () => {
    const head = (bytes: number) => ({ status: 200, fields: ["x-long", "a".repeat(bytes - "x-long".length - 32)] });
    assert.equal(toResponseFields(head(65_536), 0, "GET", SERVER)["x-long"], "a".repeat(65_498));
    assert.throws(() => toResponseFields(head(65_537), 0, "GET", SERVER), {
      code: "BAD_HEADER",
      message: /x-long: a response head of HTTP\/2 has at most 64 KiB/,
    });
  });

  it("leaves out the fields of one connection, and has the date of the server", () => {
    const fields = ["Connection", "keep-alive", "Upgrade", "h2c", "X-Own", "1"];
    assert.deepEqual(
      { ...toResponseFields({ status: 200, fields }, 3, "GET", SERVER) },
      {
        ":status": 200,
        "x-own": "1",
        date: "now",
        "content-length": 3,
      },
    );
  });
});
