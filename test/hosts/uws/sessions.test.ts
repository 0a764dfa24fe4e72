// Sessions inside an application of uWebSockets.js, by the client itself.

import { sessionsOver } from "../../support/session-over-hosts.ts";
import { noUws, servingInUws } from "../../support/uws-hosted.ts";

sessionsOver("uWebSockets.js", servingInUws, noUws);
