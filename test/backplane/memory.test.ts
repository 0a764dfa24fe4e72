// The backplane inside one process keeps the contract of all backplanes.

import { MemoryBackplane } from "../../src/index.ts";
import { backplaneContract } from "../contract/backplane.ts";

backplaneContract("in memory", async () => {
  const broker = new MemoryBackplane();
  return { open: async () => turning(broker.share()), close: async () => {} };
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
