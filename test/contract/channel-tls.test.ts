// The contract of a channel over TLS.

import { certificate, noCertificate, type Serving, serving } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

const overTls: Serving = (t, handler, options) => serving(t, handler, { tls: certificate(), ...options });
contractOver("TLS", overTls, { skip: noCertificate, fillsSoon: false });
