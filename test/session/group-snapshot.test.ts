// The snapshot of a session whose client keeps the cursors of its groups: nothing of them is lost on the way to another process.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { NumberedRecord } from "../../src/codec/session-record.ts";
import { decodeSnapshot, encodeSnapshot, type SessionSnapshot } from "../../src/session/snapshot.ts";

const SNAPSHOT: SessionSnapshot = {
  ...{ token: "P.T", identity: undefined, path: "/", maxMessageBytes: 1000, resumeMs: 1, parkMs: 1, heartbeatMs: 1 },
  ...{
    expiresAt: undefined,
    kind: "sse",
    attempt: 1,
    acknowledged: 0,
    received: 0,
    kept: [],
    cursors: undefined,
    requests: undefined,
    takenAtClose: undefined,
  },
  ...{ inbox: [], attachment: undefined, memberships: [], state: undefined },
};

describe("the snapshot of a session", () => {
  const records: NumberedRecord[] = [
    { type: "group", group: "g", id: "1-0", reset: undefined, data: "a\rb\n" },
    { type: "group", group: "g", id: "1-1", reset: undefined, data: Uint8Array.of(0, 255) },
    { type: "group", group: "g", id: "", reset: undefined, data: undefined },
    { type: "group", group: "g", id: undefined, reset: true, data: undefined },
    { type: "group", group: "g", id: undefined, reset: undefined, data: "" },
  ];
  for (const record of records) {
    it(`keeps the record ${JSON.stringify(record)} of a group`, () => {
      assert.deepEqual(decodeSnapshot(encodeSnapshot({ ...SNAPSHOT, kept: [record] })).kept, [record]);
    });
  }

  it("says whether the client keeps cursors, and has those that it has told", () => {
    const cursors = { areAwaited: true, areIncomplete: false, ids: [["g", "1-0"]] as const };
    assert.deepEqual(decodeSnapshot(encodeSnapshot({ ...SNAPSHOT, cursors })).cursors, cursors);
    assert.equal(decodeSnapshot(encodeSnapshot(SNAPSHOT)).cursors, undefined);
  });
});
