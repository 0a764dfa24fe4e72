// The contract of a channel over TLS.

import { certificate, noCertificate } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

contractOver("TLS", () => ({ tls: certificate() }), { skip: noCertificate, fillsSoon: false });
