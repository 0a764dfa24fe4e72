// The contract of a channel over TCP.

import { serving } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

contractOver("TCP", serving);
