// States and what follows them, with NATS.

import { needs } from "../support/needs.ts";
import { snapshotFaults } from "./snapshots.ts";

snapshotFaults("nats", needs("nats-server"));
