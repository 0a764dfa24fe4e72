// The contract of a channel over the connections of `unichannel/testing`: what passes there passes over TCP, and the other
// way round.

import { servingInMemory } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

contractOver("memory", servingInMemory);
