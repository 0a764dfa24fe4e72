// The state that each tab has: its bounds, and its numbers when another tab goes on with it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LOG_BYTES, MAX_TABS } from "../../../src/client/tabs/limits.ts";
import { Mirror } from "../../../src/client/tabs/mirror.ts";
import type { Entry } from "../../../src/client/tabs/notes.ts";

const RENEW: Entry = {
  type: "renew",
  epoch: "a.1.1",
  token: "T1",
  acknowledged: 0,
  received: 0,
  kept: [],
};

const down = (number: number, length: number): Entry => ({
  type: "down",
  number,
  record: { type: "message", data: new Uint8Array(length) },
});

const up = (tab: string, seq: number): Entry => ({
  type: "up",
  tab,
  seq,
  record: { type: "message", data: `${tab} ${seq}` },
});

function mirrorOf(...entries: Entry[]): Mirror {
  const mirror = new Mirror();
  for (const entry of [RENEW, ...entries]) mirror.apply(entry);
  return mirror;
}

describe("The state of a shared session", () => {
  it("keeps received records up to its limit, and the last one whatever its length", () => {
    const half = LOG_BYTES / 2;
    const mirror = mirrorOf(down(1, half), down(2, half));
    assert.equal(mirror.logFirst, 1);
    mirror.apply(down(3, 64));
    assert.equal(mirror.logFirst, 2);
    assert.deepEqual([mirror.record(1), mirror.received], [undefined, 3]);
    mirror.apply(down(4, 3 * LOG_BYTES));
    assert.equal(mirror.logFirst, 4);
    assert.ok(mirror.record(4));
  });

  it("takes a record once", () => {
    const mirror = mirrorOf(down(1, 64), down(1, 64), down(2, 64));
    assert.equal(mirror.received, 2);
    assert.equal(mirror.record(3), undefined);
  });

  it("knows which records of each tab have a number, and which the server has", () => {
    const mirror = mirrorOf(up("a", 1), up("b", 1), up("a", 2), { type: "acked", number: 2 });
    assert.deepEqual(
      [mirror.seqs("a"), mirror.seqs("b"), mirror.seqs("c")],
      [
        { assigned: 2, acked: 1 },
        { assigned: 1, acked: 1 },
        { assigned: 0, acked: 0 },
      ],
    );
    assert.deepEqual(
      mirror.kept.map(({ tab, seq }) => `${tab} ${seq}`),
      ["a 2"],
    );
  });

  it("names the tab to forget when there are too many: of those that are gone, the one that has not sent for longest", () => {
    const names = Array.from({ length: MAX_TABS }, (_, at) => `tab ${at}`);
    const mirror = mirrorOf(...names.slice(1).map((name) => up(name, 1)), up("tab 1", 2));
    const isGone = (): boolean => false;
    assert.equal(mirror.tabToForget(isGone), undefined);
    mirror.apply(up("tab 0", 1));
    assert.equal(mirror.tabToForget(isGone), "tab 2");
    assert.equal(
      mirror.tabToForget((tab) => tab === "tab 2"),
      "tab 3",
    );
    assert.equal(
      mirror.tabToForget(() => true),
      undefined,
    );
    mirror.apply({ type: "forget", tab: "tab 2" });
    assert.deepEqual([mirror.knows("tab 2"), mirror.knows("tab 1"), mirror.forgotten], [false, true, 1]);
    assert.equal(mirror.tabToForget(isGone), undefined);
  });

  it("becomes a session with the same numbers, whose records may have been sent", () => {
    const group: Entry = { type: "down", number: 1, record: { type: "group", group: "room", id: "7" } };
    const session = mirrorOf(group, up("a", 1), up("b", 1), { type: "acked", number: 1 }).toSession();
    assert.deepEqual(
      [session.token, session.acknowledged, session.sent, session.received, session.ackNumber],
      ["T1", 1, 2, 1, 1],
    );
    assert.deepEqual([...session.cursors], [["room", "7"]]);
    assert.deepEqual(session.after(), [{ type: "message", data: "b 1", sends: 1 }]);
  });

  it("is given to a tab with the records that it lacks", () => {
    const mirror = mirrorOf(down(1, 64), up("a", 1), down(2, 100), { type: "open", transport: "sse" });
    const behind = mirrorOf(down(1, 64));
    assert.equal(behind.isBehind(mirror), true);
    const state = structuredClone(mirror.state(behind.epoch, behind.received));
    assert.equal(state.log.length, 1);
    behind.adopt(state);
    assert.equal(behind.isBehind(mirror), false);
    assert.deepEqual(behind.state(), mirror.state());
    assert.equal(behind.logFirst, 1);
  });

  it("starts its records anew with another session", () => {
    const mirror = mirrorOf(down(1, 64), up("a", 1), { ...RENEW, epoch: "a.1.2", token: "T2" });
    assert.deepEqual([mirror.received, mirror.logFirst, mirror.kept, mirror.seqs("a").assigned], [0, 1, [], 0]);
    const old = mirrorOf(down(1, 64), down(2, 64));
    old.adopt(mirror.state(old.epoch, old.received));
    assert.deepEqual([old.epoch, old.received, old.record(1)], ["a.1.2", 0, undefined]);
  });
});
