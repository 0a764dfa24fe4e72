// What may happen to NATS, and what the backplane makes of it.

import { needs } from "../support/needs.ts";
import { brokerFaults } from "./brokers.ts";

brokerFaults("nats", needs("nats-server"));
