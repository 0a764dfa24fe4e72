// The backplane between the processes of one machine keeps the contract of all backplanes.

import { HubListener } from "../../../src/processes/hub-listener.ts";
import { backplaneContract } from "../../contract/backplane.ts";
import { hubBackplane } from "../../support/hub.ts";
import { spawnChild } from "../../support/spawn-child.ts";

backplaneContract("between processes", async () => {
  const hub = await HubListener.listen();
  const ends: (() => Promise<void>)[] = [];
  return {
    async open() {
      return hubBackplane(hub.path);
    },
    async spawnMember(group, key) {
      const order = { library: "processes", path: hub.path, group, key };
      const child = await spawnChild("backplane-child.ts", order);
      ends.push(() => child.kill());
      return child;
    },
    async close() {
      for (const end of ends) await end();
      await hub.close();
    },
  };
});
