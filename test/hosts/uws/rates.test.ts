// Clients that flood an application of uWebSockets.js.

import { ratesOver } from "../../support/rates-over-hosts.ts";
import { noUws, servingInUws } from "../../support/uws-hosted.ts";

ratesOver("uWebSockets.js", servingInUws, {
  skip: noUws,
  leavesEarlyFrames: "uWebSockets.js leaves out frames in the segment of the handshake",
});
