import assert from "node:assert/strict";
import { describe, it } from "node:test";
// The facts of the codes: the records themselves, for the client, leave them out.
import "../../src/base/errors.ts";
import fc from "fast-check";
import {
  decodeRecordEvent,
  decodeRecordMessage,
  encodeRecordEvent,
  encodeRecordMessage,
  parseCount,
  type SessionRecord,
} from "../../src/codec/session-record.ts";
import { EventDecoder } from "../../src/codec/sse.ts";

const OPEN: SessionRecord = {
  type: "open",
  session: "dGhlIHNhbXBsZSBub25jZQ",
  resumed: false,
  received: 0,
  first: 1,
  heartbeatMs: 25_000,
  resumeMs: 60_000,
};
const OPEN_DATA =
  '{"session":"dGhlIHNhbXBsZSBub25jZQ","resumed":false,"received":0,"first":1,' +
  '"heartbeatMs":25000,"resumeMs":60000,"version":1}';

/** Each record, as an event and as a WebSocket message. */
const WRITTEN: readonly [what: string, SessionRecord, event: string, message: string | Uint8Array][] = [
  ["open", OPEN, `event: open\ndata: ${OPEN_DATA}\n\n`, `o${OPEN_DATA}`],
  ["a text message", { type: "message", data: "hello" }, "data: hello\n\n", "mhello"],
  ["an empty message", { type: "message", data: "" }, "data: \n\n", "m"],
  ["a text of lines", { type: "message", data: "a\nb\n" }, "data: a\ndata: b\ndata: \n\n", "ma\nb\n"],
  ["a text with CR", { type: "message", data: "a\r\nb\r" }, 'event: text\ndata: "a\\r\\nb\\r"\n\n', "ma\r\nb\r"],
  [
    "a binary message",
    { type: "message", data: Uint8Array.of(0, 255, 16) },
    "event: binary\ndata: AP8Q\n\n",
    Uint8Array.of(0, 255, 16),
  ],
  ["no bytes", { type: "message", data: new Uint8Array(0) }, "event: binary\ndata: \n\n", new Uint8Array(0)],
  ["an acknowledgement", { type: "ack", received: 17 }, "event: ack\ndata: 17\n\n", "a17"],
  [
    "close",
    { type: "close", code: 1000, reason: "" },
    'event: close\ndata: {"code":1000,"reason":""}\n\n',
    'c{"code":1000,"reason":""}',
  ],
  [
    "close with the time to come back",
    { type: "close", code: 1012, reason: "x", retryMs: 5 },
    'event: close\ndata: {"code":1012,"reason":"x","retryMs":5}\n\n',
    'c{"code":1012,"reason":"x","retryMs":5}',
  ],
];

function decodeEvents(text: string): SessionRecord[] {
  const decoder = new EventDecoder();
  decoder.push(Buffer.from(text));
  const records: SessionRecord[] = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) records.push(decodeRecordEvent(event));
  return records;
}

describe("a session's records: PROTOCOL.md", () => {
  for (const [what, record, event, message] of WRITTEN) {
    it(`write and read ${what}`, () => {
      assert.equal(encodeRecordEvent(record), event);
      assert.deepEqual(decodeEvents(event), [record]);
      assert.deepEqual(encodeRecordMessage(record), message);
      assert.deepEqual(decodeRecordMessage(message), record);
    });
  }

  it("write a heartbeat as a comment, which is no event, and as `h`", () => {
    assert.equal(encodeRecordEvent({ type: "heartbeat" }), ": \n\n");
    assert.deepEqual(decodeEvents(": \n\n"), []);
    assert.equal(encodeRecordMessage({ type: "heartbeat" }), "h");
    assert.deepEqual(decodeRecordMessage("h"), { type: "heartbeat" });
  });

  it("write and read, on a WebSocket alone, from which number a client goes on", () => {
    assert.equal(encodeRecordMessage({ type: "from", number: 5 }), "f5");
    assert.deepEqual(decodeRecordMessage("f5"), { type: "from", number: 5 });
    assert.throws(() => decodeRecordEvent({ type: "from", data: "5" }), { code: "BAD_RECORD" });
    assert.throws(() => decodeRecordMessage("f"), { code: "BAD_RECORD" });
  });

  it("carry any message on either kind of carrier unchanged", () => {
    const data = fc.oneof(
      fc.string({ unit: fc.constantFrom("a", "\r", "\n", "\0", " ", ":", "\ufeff", "é", "😀", '"', "\\", "\u2028") }),
      fc.uint8Array(),
    );
    fc.assert(
      fc.property(data, (value) => {
        const record: SessionRecord = { type: "message", data: value };
        assert.deepEqual(decodeEvents(encodeRecordEvent(record)), [record]);
        assert.deepEqual(decodeRecordMessage(encodeRecordMessage(record)), record);
      }),
    );
  });

  it("may have members that this version does not know", () => {
    const text = `o${OPEN_DATA.replace("}", ',"more":1}')}`;
    assert.deepEqual(decodeRecordMessage(text), OPEN);
  });

  const refusedMessages = [
    "", "x", "hh", "a", "a-1", "a+1", "a01", "a1.0", "a 1", "a1e3", "a9007199254740992", "c", "c{", "cnull", "c[]", "c{}",
    'c{"code":1000}', 'c{"code":"1000","reason":""}', 'c{"code":999,"reason":""}', 'c{"code":5000,"reason":""}',
    'c{"code":1000.5,"reason":""}', 'c{"code":1000,"reason":1}', 'c{"code":1012,"reason":"","retryMs":-1}', "o", "o{}",
    `o${OPEN_DATA.replace('"version":1', '"version":2')}`, `o${OPEN_DATA.replace("false", "0")}`,
    `o${OPEN_DATA.replace('"first":1', '"first":"1"')}`,
  ]; // biome-ignore format: a list of cases
  for (const message of refusedMessages) {
    it(`refuse the message ${JSON.stringify(message)}`, () => {
      assert.throws(() => decodeRecordMessage(message), { code: "BAD_RECORD", status: 400, closeCode: 1002 });
    });
  }

  const refusedEvents: readonly [type: string, data: string][] = [
    ["ping", ""],
    ["text", "plain"],
    ["text", "1"],
    ["binary", "AP8"],
    ["ack", "x"],
    ["close", "1000"],
    ["open", "[]"],
  ];
  for (const [type, data] of refusedEvents) {
    it(`refuse the event ${type} with ${JSON.stringify(data)}`, () => {
      assert.throws(() => decodeRecordEvent({ type, data }), { code: "BAD_RECORD" });
    });
  }
});

describe("parseCount", () => {
  it("reads decimal numbers, and nothing else", () => {
    assert.equal(parseCount("0"), 0);
    assert.equal(parseCount("9007199254740991"), Number.MAX_SAFE_INTEGER);
    for (const text of ["", "00", "-0", "+1", "1.", "0x1", " 1", "1\n", "9007199254740992", "Infinity"]) {
      assert.equal(parseCount(text), undefined, JSON.stringify(text));
    }
  });
});
