// What may happen to Redis, and what the backplane makes of it.

import { needs } from "../support/needs.ts";
import { brokerFaults } from "./brokers.ts";

brokerFaults("redis", needs("redis-server"));
