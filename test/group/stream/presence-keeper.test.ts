// The listing of members at a backplane that is sometimes away.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PresenceKeeper } from "../../../src/group/stream/presence.ts";
import { Retries } from "../../../src/group/stream/retries.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

async function turns(): Promise<void> {
  for (let i = 0; i < 40; i++) await new Promise(setImmediate);
}

describe("a member that leaves while the backplane is away", () => {
  it("is removed when it is back, 64 at once, and not if it has entered again", async () => {
    const clock = new VirtualClock();
    const listed = new Set<string>();
    const left: string[] = [];
    let isAway = false;
    let underWay = 0;
    let most = 0;
    const leave = async (_group: string, key: string): Promise<void> => {
      underWay += 1;
      most = Math.max(most, underWay);
      await new Promise(setImmediate);
      underWay -= 1;
      if (isAway) throw new Error("away");
      listed.delete(key);
    };
    const enter = async (_group: string, { key }: { readonly key: string }): Promise<void> => {
      if (isAway) throw new Error("away");
      listed.add(key);
    };
    const keeper = new PresenceKeeper({ enter, leave, release: () => undefined }, new Retries(clock), {
      report() {},
      entered() {},
      left: (_group, key) => left.push(key),
    });
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    const member = (key: string): { readonly key: string; readonly payload: Uint8Array } => ({
      key,
      payload: new Uint8Array(),
    });
    for (const key of keys) keeper.enter("g", member(key));
    await turns();
    assert.equal(listed.size, 500);
    isAway = true;
    for (const key of keys) keeper.leave("g", key);
    await turns();
    keeper.enter("g", member("k7"));
    clock.advance(250);
    await turns();
    assert.deepEqual([listed.size, left.length], [500, 0]);
    isAway = false;
    most = 0;
    for (let i = 0; i < 5; i++) {
      clock.advance(8000);
      await turns();
    }
    assert.deepEqual([...listed], ["k7"]);
    assert.deepEqual([left.length, most], [499, 64]);
    assert.equal(clock.pending, 0);
  });
});
