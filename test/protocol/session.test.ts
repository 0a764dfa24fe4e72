import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NumberedRecord } from "../../src/codec/session-record.ts";
import { Session } from "../../src/protocol/session.ts";

const message = (data: string): NumberedRecord => ({ type: "message", data });

function sending(...texts: string[]): Session {
  const session = new Session();
  for (const text of texts) session.send(message(text));
  return session;
}

describe("one end of a session", () => {
  it("numbers what it sends from 1, and keeps it until it is acknowledged", () => {
    const session = new Session();
    assert.equal(session.send(message("a")), 1);
    assert.equal(session.send(message("b")), 2);
    assert.deepEqual(session.after(), [message("a"), message("b")]);
    assert.equal(session.bufferedAmount, 128);
    assert.equal(session.acknowledge(1), true);
    assert.deepEqual(session.after(), [message("b")]);
    assert.equal(session.bufferedAmount, 64);
    assert.equal(session.acknowledge(2), true);
    assert.deepEqual(session.after(), []);
    assert.equal(session.bufferedAmount, 0);
  });

  it("counts a record with its size, and never below 64", () => {
    const session = sending("x".repeat(1000), "");
    assert.equal(session.bufferedAmount, 1064);
  });

  it("learns nothing from an acknowledgement that is old or comes again", () => {
    const session = sending("a", "b", "c");
    session.acknowledge(2);
    assert.equal(session.acknowledge(1), false);
    assert.equal(session.acknowledge(2), false);
    assert.deepEqual(session.after(), [message("c")]);
  });

  it("refuses an acknowledgement of a record that was never sent", () => {
    assert.throws(() => sending("a").acknowledge(2), { code: "BAD_RECORD" });
  });

  it("returns the records after a number, without acknowledged ones", () => {
    const session = sending("a", "b", "c");
    session.acknowledge(1);
    assert.deepEqual(session.after(2), [message("c")]);
    assert.deepEqual(session.after(0), [message("b"), message("c")]);
    assert.deepEqual(session.after(3), []);
  });

  it("takes the next number, drops an old one, and refuses a gap", () => {
    const session = new Session();
    assert.equal(session.receive(1, message("a")), true);
    assert.equal(session.receive(1, message("a")), false);
    assert.throws(() => session.receive(3, message("c")), { code: "BAD_RECORD" });
    assert.equal(session.receive(2, message("b")), true);
    assert.equal(session.received, 2);
  });

  it("owes an acknowledgement after 16 records", () => {
    const session = new Session();
    assert.equal(session.hasAck, false);
    for (let number = 1; number <= 15; number++) session.receive(number, message(""));
    assert.equal(session.hasAck, true);
    assert.equal(session.isAckDue, false);
    session.receive(16, message(""));
    assert.equal(session.isAckDue, true);
    assert.equal(session.takeAck(), 16);
    assert.equal(session.hasAck, false);
    assert.equal(session.isAckDue, false);
  });

  it("owes an acknowledgement after 64 KiB", () => {
    const session = new Session();
    session.receive(1, message("x".repeat(65_535)));
    assert.equal(session.isAckDue, false);
    session.receive(2, message(""));
    assert.equal(session.isAckDue, true);
  });

  it("acknowledges a record that has arrived again: the other end has no acknowledgement of it", () => {
    const session = new Session();
    session.receive(1, message("a"));
    session.takeAck();
    session.receive(1, message("a"));
    assert.equal(session.hasAck, true);
  });
});
