// The contract of a channel inside an SSLApp of uWebSockets.js. docs/reference/hosts.md has the differences.

import { noCertificate } from "../support/serving.ts";
import { noUws, servingInUwsOverTls } from "../support/uws-hosted.ts";
import { HOSTS } from "./hosts.ts";
import { contractOver } from "./transports.ts";

contractOver("uWebSockets.js over TLS", servingInUwsOverTls, {
  skip: noUws || noCertificate,
  fillsSoon: false,
  webSocket: HOSTS["uWebSockets.js"],
  noHttp10: "uWebSockets.js refuses HTTP/1.0",
});
