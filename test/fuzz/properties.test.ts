// A short run of each property; `npm run fuzz -- sse --minutes 10` is a long one.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import type { FuzzOptions, FuzzReport } from "../../fuzz/cases.ts";

const SEED = Number(process.env["FUZZ_SEED"] ?? 20_240_101);
const CASES = 400;

describe("What must hold of a decoder", () => {
  for (const file of readdirSync(new URL("../../fuzz/", import.meta.url))) {
    const name = /^(.+)-property\.js$/.exec(file)?.[1];
    if (name === undefined) continue;
    it(`holds: ${name}`, async () => {
      const target = (await import(`../../fuzz/${file}`)) as { fuzz: (options: FuzzOptions) => Promise<FuzzReport> };
      const { cases, failures } = await target.fuzz({ seed: SEED, cases: CASES });
      assert.deepEqual(failures, []);
      assert.ok(cases >= CASES);
    });
  }
});
