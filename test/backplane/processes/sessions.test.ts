// The session store between the processes of one machine.

import { HubListener } from "../../../src/processes/hub-listener.ts";
import { sessionStoreContract } from "../../contract/session-store.ts";
import { hubSessions, startHub } from "../../support/hub.ts";
import { sessionStoresAway } from "../../support/session-stores-away.ts";

const {
  "its connections are cut": cut,
  "it is frozen": frozen,
  "it is killed and started again without its files": killed,
} = sessionStoresAway({
  start: startHub,
  async open(port) {
    const store = hubSessions(port, { timeoutMs: 1000 });
    return { store, close: () => store.close() };
  },
});

sessionStoreContract(
  "between processes",
  async () => {
    const hub = await HubListener.listen();
    return {
      async open() {
        return hubSessions(hub.path);
      },
      close: () => hub.close(),
    };
  },
  // Its records have no files: a hub that is killed has always lost them.
  { away: { "its connections are cut": cut!, "it is frozen": frozen!, "it is killed": killed! } },
);
