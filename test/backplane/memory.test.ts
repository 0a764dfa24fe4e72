// The backplane inside one process keeps the contract of all backplanes.

import assert from "node:assert/strict";
import { MemoryBackplane } from "../../src/index.ts";
import { backplaneContract } from "../contract/backplane.ts";

backplaneContract("in memory", async () => {
  const broker = new MemoryBackplane();
  const opened: MemoryBackplane[] = [];
  return {
    async open() {
      const backplane = turning(broker.share());
      opened.push(backplane);
      return backplane;
    },
    async close() {
      // A client may end only when no backplane uses it any more.
      for (const one of opened) await assert.rejects(one.history("g"), { code: "BACKPLANE_UNAVAILABLE" });
    },
  };
});

/** Answers in a later turn, as over a socket: the suite waits for some events with timers. */
function turning(backplane: MemoryBackplane): MemoryBackplane {
  const publish = backplane.publish.bind(backplane);
  backplane.publish = async (...args) => {
    const id = await publish(...args);
    await new Promise(setImmediate);
    return id;
  };
  return backplane;
}
