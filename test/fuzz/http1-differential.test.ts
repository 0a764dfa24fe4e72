// A short run of the comparison with node:http; `npm run fuzz http1 -- --minutes 10` is a long one.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fuzz } from "../../fuzz/http1-differential.ts";
import { KNOWN_DIFFERENCES } from "../../fuzz/http1-known-differences.ts";

/** Another one with FUZZ_SEED; the same one in every other run, so that a change is what makes it fail. */
const SEED = Number(process.env["FUZZ_SEED"] ?? 20_240_101);

describe("HTTP/1.1 against node:http", () => {
  it("understands the same requests, but for the documented differences", async () => {
    const { cases, counts, failures } = await fuzz({ seed: SEED, cases: 1500 });
    assert.deepEqual(failures, []);
    assert.equal(cases, 1500);
    // A comparison in which nothing is equal, or nothing differs, compares nothing.
    assert.ok(counts.get("same")! > 1000);
    assert.ok(counts.get("duplicate-host")! > 0);
  });

  it("documents every difference, and no other", () => {
    const page = readFileSync("docs/reference/http-parsing.md", "utf8");
    const documented = [...page.matchAll(/^\| `([a-z0-9.-]+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(KNOWN_DIFFERENCES.map(({ name }) => name).sort(), documented.sort());
  });
});
