// A short run of the comparison with ws; `npm run fuzz websocket -- --minutes 10` is a long one.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzz } from "../../fuzz/websocket-differential.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 20_240_101);

describe("WebSocket frames against ws", () => {
  it("answers with the same messages, pongs and close codes, but for the explained differences", async () => {
    const { cases, counts, failures } = await fuzz({ seed: SEED, cases: 800 });
    assert.deepEqual(failures, []);
    assert.equal(cases, 800);
    assert.ok(counts.get("same")! > 600);
  });
});
