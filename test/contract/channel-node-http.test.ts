// The contract of a channel inside a server of node:http. docs/reference/hosts.md has the differences.

import { servingAttached } from "../support/attached.ts";
import { contractOver } from "./transports.ts";

contractOver("node:http", servingAttached);
