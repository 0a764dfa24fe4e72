// The contract of a channel over HTTP/2: event streams, streams and polls on streams of it, WebSockets by RFC 8441.

import { certificate, noCertificate, type Serving, serving } from "../support/serving.ts";
import { contractOverHttp2 } from "./transports.ts";

const overHttp2: Serving = (t, handler, options) =>
  serving(t, handler, { tls: certificate(), http2: true, ...options });
contractOverHttp2("HTTP/2", overHttp2, noCertificate);
