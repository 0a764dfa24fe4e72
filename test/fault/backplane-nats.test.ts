// Faults of NATS, and the backplane's behaviour.

import { needs } from "../support/needs.ts";
import { brokerFaults } from "./brokers.ts";

brokerFaults("nats", needs("nats-server"));
