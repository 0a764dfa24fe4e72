// Clients that flood an application of uWebSockets.js.

import { ratesOver } from "../../support/rates-over-hosts.ts";
import { noUws, servingInUws } from "../../support/uws-hosted.ts";

ratesOver("uWebSockets.js", servingInUws, { skip: noUws, readsOn: false });
