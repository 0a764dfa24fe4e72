// States and what follows them, with Redis.

import { needs } from "../support/needs.ts";
import { snapshotFaults } from "./snapshots.ts";

snapshotFaults("redis", needs("redis-server"));
