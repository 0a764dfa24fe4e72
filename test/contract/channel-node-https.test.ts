// The contract of a channel inside a server of node:https.

import { servingAttached } from "../support/attached.ts";
import { certificate, noCertificate } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

contractOver(
  "node:https",
  (t, handler, options) => servingAttached(t, handler, { tls: certificate(), ...options }),
  // The buffers of TLS sockets at both ends hold more than the rows about full ones send.
  { skip: noCertificate, fillsSoon: false },
);
