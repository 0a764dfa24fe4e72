// The session store inside one process.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memorySessions } from "../../src/backplane/memory-sessions.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { sessionStoreContract } from "../contract/session-store.ts";

sessionStoreContract("in memory", async () => {
  const clock = new VirtualClock();
  const first = memorySessions({ clock });
  return {
    async open() {
      return first.share();
    },
    async close() {},
    async pass(ms) {
      await clock.advance(ms);
    },
  };
});

describe("memorySessions", () => {
  it("uses the system's clock without another one", async () => {
    const store = memorySessions();
    assert.equal(await store.put("t", "A", Buffer.from("1"), 60_000), true);
    assert.equal((await store.take("t", "B", { ttlMs: 60_000 })).type, "taken");
  });

  it("refuses options that it does not know, and a clock that is none", () => {
    for (const options of [{ time: 1 }, { clock: {} }, { clock: 5 }, null, []]) {
      assert.throws(() => memorySessions(options as never), { code: "BAD_OPTION" }, JSON.stringify(options));
    }
  });

  it("leaves no records behind that nobody asks for", async () => {
    const clock = new VirtualClock();
    const store = memorySessions({ clock });
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 200; n++) {
      for (let i = 0; i < 100; i++) await store.put(`${n} ${i}`, "A", new Uint8Array(10_000), 1000);
      await clock.advance(1000);
    }
    // All of them would be 200 MB.
    assert.ok(process.memoryUsage().arrayBuffers - before < 150e6);
  });
});
