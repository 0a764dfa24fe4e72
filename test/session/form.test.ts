// The forms in which carriers send a session's records.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EncodedMessage, type OutboundRecord } from "../../src/protocol/encoded-message.ts";
import { bodyMessage } from "../../src/protocol/outbound-message.ts";
import { asEventText, asWebSocketMessage, dataRecord, ownBytes, toRecord } from "../../src/session/form.ts";

describe("a session's record", () => {
  it("is the same for all sessions if the message is sent to many", () => {
    const message = new EncodedMessage(bodyMessage("hello"));
    assert.equal(toRecord(message), toRecord(message));
    assert.equal(asWebSocketMessage(toRecord(message) as OutboundRecord).body, "mhello");
  });

  it("is the text itself if a text message is sent to one", () => {
    assert.equal(toRecord(bodyMessage("hello")), "hello");
    assert.equal(asEventText("hello").body, "data: hello\n\n");
  });

  it("has its own bytes, even for a Buffer, whose slice is a view", () => {
    for (const buffer of [Uint8Array.of(1, 2), Buffer.from([1, 2])]) {
      const records = [dataRecord(buffer), new EncodedMessage(bodyMessage(buffer)).asRecord()];
      buffer[0] = 9;
      for (const record of records) assert.deepEqual([...((record as OutboundRecord).data as Uint8Array)], [1, 2]);
    }
  });

  it("a record of another kind is encoded unchanged", () => {
    assert.equal(asWebSocketMessage({ type: "ack", received: 7 }).body, "a7");
    assert.equal(asEventText({ type: "heartbeat" }).body, ": \n\n");
  });
});

describe("received bytes", () => {
  it("are copied if they are a small part of what was read", () => {
    const read = new Uint8Array(65_536);
    assert.equal(ownBytes(read.subarray(0, 10)).buffer.byteLength, 10);
    assert.equal(ownBytes(read).buffer, read.buffer);
  });
});
