import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeSnapshot, encodeSnapshot, type SessionSnapshot } from "../../src/session/snapshot.ts";

const SNAPSHOT: SessionSnapshot = {
  token: "AAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBB",
  identity: undefined,
  path: "/live",
  maxMessageBytes: 4096,
  resumeMs: 60_000,
  parkMs: 20_000,
  heartbeatMs: 25_000,
  expiresAt: undefined,
  kind: "websocket",
  attempt: undefined,
  acknowledged: 0,
  received: 0,
  kept: [],
  takenAtClose: undefined,
  cursors: undefined,
  requests: undefined,
  inbox: [],
  attachment: undefined,
  memberships: [],
  state: undefined,
};

/** The snapshot in the next process. */
function moved(changes: Partial<SessionSnapshot>): SessionSnapshot {
  return decodeSnapshot(encodeSnapshot({ ...SNAPSHOT, ...changes }));
}

/** As `deepEqual`, for which a missing field is one that is undefined. */
function assertMoves(changes: Partial<SessionSnapshot>): void {
  const after = moved(changes);
  for (const [name, value] of Object.entries({ ...SNAPSHOT, ...changes })) {
    assert.deepEqual((after as unknown as Record<string, unknown>)[name], value, name);
  }
}

describe("a session that moves", () => {
  it("has all its fields in the next process", () => {
    assertMoves({});
    assertMoves({
      expiresAt: 1_700_000_000_000.5,
      ...{ identity: "user 7 \u{1f600}", kind: "poll", attempt: 12, acknowledged: 41, received: 7, takenAtClose: 5 },
      ...{ attachment: { a: [1, null, "x"] }, memberships: [{ group: "g" }], state: [null, { deep: { er: true } }] },
    });
  });

  it("tells state that is null from state that is missing", () => {
    assert.equal(moved({ state: null, attachment: null }).state, null);
    assert.equal(moved({ state: undefined }).state, undefined);
  });

  it("keeps a session without a limit for a time", () => {
    assertMoves({ maxMessageBytes: Number.POSITIVE_INFINITY, resumeMs: Number.POSITIVE_INFINITY });
  });

  it("keeps text and bytes of every kind, empty ones too", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    assertMoves({
      kept: [
        "",
        "text \0 \u2028 \u{1f600}",
        { type: "message", data: bytes },
        { type: "message", data: new Uint8Array() },
      ],
      inbox: ["", "text", bytes, new Uint8Array()],
    });
  });

  it("keeps text with lone surrogates as it was sent", () => {
    assertMoves({ kept: ["\ud83d", "a\ude00b"], inbox: ["\ude00\ud83d"] });
  });

  it("keeps the application's close, with and without a time to come back", () => {
    assertMoves({ kept: ["last", { type: "close", code: 4001, reason: "bye" }] });
    assertMoves({ kept: [{ type: "close", code: 1012, reason: "", retryMs: 0 }] });
  });

  it("keeps any messages", () => {
    const data = fc.oneof(fc.string({ unit: "binary" }), fc.uint8Array());
    fc.assert(
      fc.property(fc.array(data), fc.array(data), (kept, inbox) => {
        assertMoves({
          kept: kept.map((one) => (typeof one === "string" ? one : { type: "message", data: one })),
          inbox,
        });
      }),
    );
  });
});

describe("the bytes of a session", () => {
  const text = Buffer.from(encodeSnapshot({ ...SNAPSHOT, kept: ["a"], inbox: [new Uint8Array(3)] })).toString();

  for (const [what, bad] of [
    ["of the next version", text.replace('"version":1', '"version":2')],
    ["without a version", text.replace('"version":1,', "")],
    ["that were cut", text.slice(0, -1)],
    ["that are no JSON", "\0\u0001"],
    ["of another kind", "null"],
    ["of a list", "[]"],
    ["with bytes that are not base64", text.replace('"b":"AAAA"', '"b":"A*AA"')],
    ["without their records", text.replace(/"kept":\[[^\]]*\],?/, "")],
    ["with a record of another kind", text.replace('"kept":["a"]', '"kept":[7]')],
    ["with a null for a record", text.replace('"kept":["a"]', '"kept":[null]')],
    ["with a message of another kind", text.replace(/"inbox":\[.*?\]/, '"inbox":[{}]')],
    ["whose counters are no numbers", text.replace('"received":0', '"received":"0"')],
    ["whose token is missing", text.replace(/"token":"[^"]*",/, "")],
  ] as const) {
    it(`${what} are BAD_DATA`, () => {
      assert.notEqual(bad, text);
      assert.throws(() => decodeSnapshot(Buffer.from(bad)), { code: "BAD_DATA" });
    });
  }
});
