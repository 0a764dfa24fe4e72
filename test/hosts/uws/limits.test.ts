// The limits of WebSockets inside an application of uWebSockets.js.

import { limitsOver } from "../../support/limits-over-hosts.ts";
import { noUws, servingInUws } from "../../support/uws-hosted.ts";

limitsOver("uWebSockets.js", servingInUws, {
  skip: noUws,
  holdsBack: false,
  fragments: true,
  pings: true,
  drops: true,
});
