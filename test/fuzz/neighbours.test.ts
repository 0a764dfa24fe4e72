// A short run; `npm run fuzz neighbours -- --minutes 10` is a long one.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzz } from "../../fuzz/neighbours.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 20_240_101);

describe("A server that is sent broken bytes", () => {
  it("answers every message of clients that behave, in order, and keeps nothing of the others", async () => {
    const { cases, counts, failures } = await fuzz({ seed: SEED, cases: 1500 });
    assert.deepEqual(failures, []);
    assert.equal(cases, 1500);
    for (const talk of ["talkWebSocket", "talkHttp", "talkStream"])
      assert.ok(counts.get(`${talk}: answered`)! > 0, talk);
  });
});
