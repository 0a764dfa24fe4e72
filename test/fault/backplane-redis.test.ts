// Faults of Redis, and the backplane's behaviour.

import { needs } from "../support/needs.ts";
import { brokerFaults } from "./brokers.ts";

brokerFaults("redis", needs("redis-server"));
