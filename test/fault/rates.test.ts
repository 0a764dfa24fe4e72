// Clients that flood a server of `serve`, and one inside node:http.

import { servingAttached } from "../support/attached.ts";
import { ratesOver } from "../support/rates-over-hosts.ts";
import { serving } from "../support/serving.ts";

ratesOver("TCP", serving);
ratesOver("node:http", servingAttached);
