// Faults of the hub of `unichannel/processes`, and the backplane's behaviour.

import { brokerFaults } from "./brokers.ts";

brokerFaults("processes", false);
