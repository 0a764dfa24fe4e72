// Processes that are killed, with the hub of `unichannel/processes`.

import { crashes } from "./crashes.ts";

crashes("processes", false);
