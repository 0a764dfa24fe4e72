// A group's message as bytes: encoded messages are decoded again; anything else is undefined, never an error.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Control, isControl } from "../../../src/group/control.ts";
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
      isShared: false,
    };
    const bytes = encodeEnvelope(envelope);
    assert.deepEqual(Buffer.from(bytes), Buffer.from(hex(`01 30 ${HEAD} 0004 7469636b 0003 612f62 68c3a9`)));
    assert.deepEqual(decodeEnvelope(bytes), envelope);
  });

  it("has the key of a value, and says if it is removed", () => {
    for (const [isRemoved, mark] of [
      [false, "3d"],
      [true, "2d"],
    ] as const) {
      const message = { ...groupMessage("text", "1"), latest: { key: "EUR", isRemoved } };
      const envelope: Envelope = { origin: ORIGIN, number: 7, message, isShared: false };
      const bytes = encodeEnvelope(envelope);
      assert.deepEqual(Buffer.from(bytes), Buffer.from(hex(`01 80 ${HEAD} 0004 ${mark} 455552 31`)));
      assert.deepEqual(decodeEnvelope(bytes), envelope);
    }
    assert.equal(decodeEnvelope(hex(`01 80 ${HEAD} 0004 2b 455552 31`)), undefined, "another mark");
    assert.equal(decodeEnvelope(hex(`01 80 ${HEAD} 0000 31`)), undefined, "no mark");
    assert.equal(decodeEnvelope(hex(`01 80 ${HEAD} 0009 3d 45`)), undefined, "cut off");
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
    const place = fc.constantFrom({}, { place: "part" as const }, { place: "end" as const });
    const latest = fc.oneof(
      fc.constant({}),
      fc.record({ key: text, isRemoved: fc.boolean() }).map((of) => ({ latest: { ...of } })),
    );
    fc.assert(
      fc.property(fc.nat(0xffffffff), message, place, latest, (number, value, ofStream, ofKey) => {
        const sent = { ...groupMessage(value.kind, value.data, value), ...ofKey };
        const isShared = number % 2 === 1;
        const envelope = { origin: ORIGIN, number, message: sent, isShared, ...ofStream };
        const { message: back, ...rest } = decodeEnvelope(encodeEnvelope(envelope))!;
        assert.deepEqual(rest, { origin: ORIGIN, number, isShared, ...ofStream });
        assert.ok(!isControl(back));
        const body = typeof back.body === "string" ? back.body : new Uint8Array(back.body);
        assert.deepEqual({ ...back, body }, sent);
      }),
    );
  });

  it("decodes the controls that were encoded", () => {
    const controls: readonly Control[] = [
      {
        kind: "disconnect",
        code: 4001,
        reason: "signed out",
        where: { user: 7, isGuest: false, name: "é", team: null },
      },
      { kind: "disconnect", code: 1000, reason: "", where: undefined },
      { kind: "move", to: "\ud800", keep: true, where: undefined },
      { kind: "stop", stream: "a" },
    ];
    for (const message of controls) {
      const envelope = { origin: ORIGIN, number: 7, message, isShared: false };
      assert.deepEqual(decodeEnvelope(encodeEnvelope(envelope)), envelope);
    }
  });

  const foreign: readonly [why: string, bytes: string][] = [
    ["nothing", ""],
    ["a head that is cut", "01 00 0123456789abcdef 000000"],
    ["another version", `02 00 ${HEAD}`],
    ["a part of a stream that is its end as well", `01 0c ${HEAD}`],
    ["a key without its length", `01 80 ${HEAD}`],
    ["a key that neither has a value nor is removed", `01 80 ${HEAD} 0002 2b61`],
    ["a control without data", `01 03 ${HEAD}`],
    ["a control with a flag", `01 43 ${HEAD} ${Buffer.from('{"kind":"move","to":"b","keep":true}').toString("hex")}`],
    ["a control of a stream", `01 07 ${HEAD} ${Buffer.from('{"kind":"stop","stream":"a"}').toString("hex")}`],
    ["a stop without a stream", `01 03 ${HEAD} ${Buffer.from('{"kind":"stop"}').toString("hex")}`],
    ["an unknown control", `01 03 ${HEAD} ${Buffer.from('{"kind":"drop"}').toString("hex")}`],
    [
      "a control with a wrong code",
      `01 03 ${HEAD} ${Buffer.from('{"kind":"disconnect","code":1,"reason":""}').toString("hex")}`,
    ],
    [
      "a control with fields that are objects",
      `01 03 ${HEAD} ${Buffer.from('{"kind":"move","to":"b","keep":true,"where":{"a":{}}}').toString("hex")}`,
    ],
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
        if (isOurs && bytes.length > 1) bytes.set([1, bytes[1]! & 0x73]);
        decodeEnvelope(bytes);
      }),
    );
  });
});
