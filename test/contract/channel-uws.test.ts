// The contract of a channel inside an application of uWebSockets.js. docs/reference/hosts.md has the differences.

import { noUws, servingInUws } from "../support/uws-hosted.ts";
import { HOSTS } from "./hosts.ts";
import { contractOver } from "./transports.ts";

contractOver("uWebSockets.js", servingInUws, {
  skip: noUws,
  webSocket: HOSTS["uWebSockets.js"],
  noHttp10: "uWebSockets.js refuses HTTP/1.0",
});
