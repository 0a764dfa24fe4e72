// Stops of channels inside an application of uWebSockets.js, and applications that close.

import { endsOver } from "../../support/ends-over-hosts.ts";
import { noUws, servingInUws } from "../../support/uws-hosted.ts";

endsOver("uWebSockets.js", servingInUws, { skip: noUws, drops: true });
