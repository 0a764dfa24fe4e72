// An EncodedMessage makes each of its wire forms once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SharedText } from "../../src/base/output.ts";
import type { Compression, CompressionKey } from "../../src/protocol/compression.ts";
import { EncodedMessage, OutboundRecord } from "../../src/protocol/encoded-message.ts";
import { bodyMessage } from "../../src/protocol/outbound-message.ts";

/** A compression that drops all but the first letter, and counts how often it does. */
class First implements Compression {
  count = 0;
  readonly #key: CompressionKey;

  constructor(key: CompressionKey) {
    this.#key = key;
  }

  deflate(data: string | Uint8Array): Uint8Array {
    this.count += 1;
    return Buffer.from(data as string).subarray(0, 1);
  }

  inflate(): Uint8Array {
    return assert.fail("nothing is inflated");
  }

  key(): CompressionKey {
    return this.#key;
  }
}

describe("an encoded message", () => {
  it("is one WebSocket frame for all connections that compress in the same way", () => {
    const message = new EncodedMessage(bodyMessage("hello"));
    assert.deepEqual(message.frame(undefined), new SharedText("\x81\x05hello"));
    const [a, b, other] = [new First(17), new First(17), new First(18)];
    assert.deepEqual(message.frame(a), new SharedText("\xc1\x01h"));
    assert.equal(message.frame(b), message.frame(a));
    assert.deepEqual(message.frame(other), new SharedText("\xc1\x01h"));
    assert.deepEqual([a.count, b.count, other.count], [1, 0, 1]);
  });

  it("is the plain frame if the compression does not compress it", () => {
    const message = new EncodedMessage(bodyMessage(Uint8Array.of(1, 2)));
    assert.deepEqual(message.frame(new First("uncompressed")), new SharedText("\x82\x02\x01\x02"));
  });

  it("has no frame for many where the compression depends on earlier messages, or without a body", () => {
    assert.equal(new EncodedMessage(bodyMessage("hello")).frame(new First("dependent")), undefined);
    assert.equal(new EncodedMessage({ ...bodyMessage(""), body: null }).frame(undefined), undefined);
  });

  it("is one body for plain responses and one for event streams", () => {
    const message = new EncodedMessage({ ...bodyMessage("h\u00e9"), event: { id: "7" } });
    assert.equal(message.asPlain(), message.asPlain());
    assert.equal(message.asEvent(), message.asEvent());
    assert.equal(message.asPlain()?.data, "h\u00e9");
    assert.deepEqual(message.asPlain()?.chunk, new SharedText("3\r\nh\xc3\xa9\r\n"));
    assert.equal(message.asEvent()?.data, "id: 7\ndata: h\u00e9\n\n");
    assert.equal(new EncodedMessage({ ...bodyMessage(""), body: null }).asEvent(), undefined);
  });

  it("keeps a whole response for one server and one date", () => {
    const body = new EncodedMessage(bodyMessage("x")).asPlain()!;
    const server = {};
    assert.equal(body.cachedResponse(server, "Date: 1\r\n"), undefined);
    const piece = new SharedText("bytes");
    body.cacheResponse(server, "Date: 1\r\n", piece);
    assert.equal(body.cachedResponse(server, "Date: 1\r\n"), piece);
    assert.equal(body.cachedResponse(server, "Date: 2\r\n"), undefined);
    assert.equal(body.cachedResponse({}, "Date: 1\r\n"), undefined);
  });

  it("is one record for all sessions, and each form of the record is made once", () => {
    const message = new EncodedMessage(bodyMessage("hello"));
    const record = message.asRecord();
    assert.equal(message.asRecord(), record);
    assert.equal(record.asWebSocket(), record.asWebSocket());
    assert.equal(record.asWebSocket().body, "mhello");
    assert.equal(record.asEvent(), record.asEvent());
    assert.equal(record.asEvent().body, "data: hello\n\n");
  });
});

describe("a record of one session", () => {
  it("keeps none of its forms", () => {
    const record = new OutboundRecord(Uint8Array.of(1), "one");
    assert.notEqual(record.asEvent(), record.asEvent());
    assert.equal(record.asWebSocket() instanceof EncodedMessage, false);
  });
});
