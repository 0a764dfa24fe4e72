// A decoder remembers the Host that it found well-formed last. Here nothing was found before: a file of its own, since each
// has its own process.

import assert from "node:assert/strict";
import { it } from "node:test";
import { REQUEST_LIMITS, RequestDecoder } from "../../src/codec/http1-request.ts";
import { bytesOf } from "../support/cut.ts";

it("RFC 9110 §4.2.1: an empty Host is refused in the first request of a process too", () => {
  for (const line of ["Host:", "Host: ", "host:\t"]) {
    const decoder = new RequestDecoder(REQUEST_LIMITS);
    decoder.push(bytesOf(`GET / HTTP/1.1\r\n${line}\r\n\r\n`));
    assert.throws(() => decoder.next(), { code: "BAD_REQUEST", message: /Host is malformed/ });
  }
});
