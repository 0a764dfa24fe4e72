// The answers of a host to requests that it does not serve.

import type { ResponseHead } from "../codec/http1-response.ts";
import { TEXT_PLAIN } from "../transport/http/format.ts";

export interface HostRefusal extends ResponseHead {
  readonly body: string;
}

/** The channels have ended with a stop. */
export const STOPPED: HostRefusal = {
  status: 503,
  fields: [...TEXT_PLAIN, "Retry-After", "1"],
  body: "Service Unavailable\n",
};
