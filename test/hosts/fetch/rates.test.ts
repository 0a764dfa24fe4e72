// Clients that flood Bun.serve and Deno.serve.

import { runtime } from "../../../src/base/runtime.ts";
import { servingInFetchHost } from "../../support/fetch-hosted.ts";
import { ratesOver } from "../../support/rates-over-hosts.ts";

ratesOver("a Fetch server", servingInFetchHost, {
  skip: runtime === "node" && "runs on Bun and Deno: npm run test:runtimes",
  tellsSenders: runtime !== "deno",
});
