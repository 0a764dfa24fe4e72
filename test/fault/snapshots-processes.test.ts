// States and what follows them, with the hub of `unichannel/processes`.

import { snapshotFaults } from "./snapshots.ts";

snapshotFaults("processes", false);
