// The contract of a channel over TCP.

import { contractOver } from "./transports.ts";

contractOver("TCP", () => ({}));
