// A group's message as bytes: encoded messages are decoded again; anything else is undefined, never an error.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { groupMessage } from "../../../src/group/message.ts";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../../../src/group/stream/envelope.ts";
import { hex } from "../../support/hex.ts";

const ORIGIN = "0123456789abcdef";
const HEAD = "0123456789abcdef 00000007";

describe("the envelope", () => {
  it("is version, kind, origin, number, the event's type, the content type, data", () => {
    const envelope: Envelope = {
      origin: ORIGIN,
      number: 7,
      message: groupMessage("text", "hé", { event: "tick", contentType: "a/b" }),
    };
    const bytes = encodeEnvelope(envelope);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(hex(`01 30 ${HEAD} 0004 7469636b 0003 612f62 68c3a9`)));
    assert.deepEqual(decodeEnvelope(bytes), envelope);
  });

  it("decodes every message that was encoded", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 });
    const event = fc.option(
      text.filter((value) => !/[\r\n]/.test(value)),
      { nil: undefined },
    );
    const message = fc.oneof(
      fc.record({
        kind: fc.constant("text" as const),
        data: text,
        event,
        contentType: fc.constantFrom(undefined, "a/b"),
      }),
      fc.record({
        kind: fc.constant("bytes" as const),
        data: fc.uint8Array({ maxLength: 40 }),
        event,
        contentType: fc.constant(undefined),
      }),
      fc.record({
        kind: fc.constant("json" as const),
        data: fc.json(),
        event,
        contentType: fc.constant(undefined),
      }),
    );
    fc.assert(
      fc.property(fc.nat(0xffffffff), message, (number, value) => {
        const sent = groupMessage(value.kind, value.data, value);
        const { message: back, ...rest } = decodeEnvelope(encodeEnvelope({ origin: ORIGIN, number, message: sent }))!;
        assert.deepEqual(rest, { origin: ORIGIN, number });
        const body = typeof back.body === "string" ? back.body : new Uint8Array(back.body);
        assert.deepEqual({ ...back, body }, sent);
      }),
    );
  });

  const foreign: readonly [why: string, bytes: string][] = [
    ["nothing", ""],
    ["a head that is cut", "01 00 0123456789abcdef 000000"],
    ["another version", `02 00 ${HEAD}`],
    ["an unknown kind", `01 03 ${HEAD}`],
    ["an unknown flag", `01 40 ${HEAD}`],
    ["an event's type that is cut", `01 10 ${HEAD} 0002 61`],
    ["an event's type without its length", `01 10 ${HEAD} 00`],
    ["an event's type with a line break", `01 10 ${HEAD} 0001 0a`],
    ["a content type with a line break", `01 20 ${HEAD} 0001 0a`],
    ["a content type that is no UTF-8", `01 20 ${HEAD} 0001 ff`],
    ["text that is no UTF-8", `01 00 ${HEAD} c3`],
    ["JSON that is none", `01 02 ${HEAD} 7b`],
  ];
  for (const [why, bytes] of foreign) {
    it(`is not ${why}`, () => {
      assert.equal(decodeEnvelope(hex(bytes)), undefined);
    });
  }

  it("is never an error, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, isOurs) => {
        if (isOurs && bytes.length > 1) bytes.set([1, bytes[1]! & 0x33]);
        decodeEnvelope(bytes);
      }),
    );
  });
});
