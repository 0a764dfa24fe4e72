// The contract of a channel inside a server of node:http2, over TLS and without. docs/reference/hosts.md has the differences.

import { servingAttachedHttp2 } from "../support/attached.ts";
import { certificate, noCertificate } from "../support/serving.ts";
import { contractOverHttp2 } from "./transports.ts";

contractOverHttp2(
  "node:http2",
  (t, handler, options) => servingAttachedHttp2(t, handler, { tls: certificate(), ...options }),
  noCertificate,
);
contractOverHttp2("node:http2 without TLS", servingAttachedHttp2);
