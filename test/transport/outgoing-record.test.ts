import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  asEvent,
  asWebSocket,
  type OutgoingRecord,
  recordOf,
  sharedForms,
} from "../../src/transport/outgoing-record.ts";

describe("a session's message on its way out", () => {
  it("is one record for all sessions where it goes to many, and each form of it is made once", () => {
    const forms = sharedForms();
    const record = recordOf("hello", forms) as OutgoingRecord;
    assert.equal(recordOf("hello", forms), record);
    assert.equal(asWebSocket(record), asWebSocket(record));
    assert.equal(asWebSocket(record).body, "mhello");
    assert.equal(asEvent(record), asEvent(record));
    assert.equal(asEvent(record).body, "data: hello\n\n");
    assert.notEqual(asEvent(record).shared, asWebSocket(record).shared);
  });

  it("keeps nothing but itself where it goes to one", () => {
    assert.equal(recordOf("hello", undefined), "hello");
    assert.equal(asEvent("hello").body, "data: hello\n\n");
    const record = recordOf(Uint8Array.of(1), undefined) as OutgoingRecord;
    assert.notEqual(asEvent(record), asEvent(record));
    assert.equal(asWebSocket(record).shared, undefined);
    assert.notEqual(recordOf(Uint8Array.of(1), undefined), record);
  });

  it("leaves other records as they are", () => {
    assert.equal(asWebSocket({ type: "ack", received: 7 }).body, "a7");
    assert.equal(asEvent({ type: "heartbeat" }).body, ": \n\n");
  });
});
