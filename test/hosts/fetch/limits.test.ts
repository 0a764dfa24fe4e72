// The limits of WebSockets inside Bun.serve and Deno.serve.

import { runtime } from "../../../src/base/runtime.ts";
import { servingInFetchHost } from "../../support/fetch-hosted.ts";
import { limitsOver } from "../../support/limits-over-hosts.ts";

limitsOver("a Fetch server", servingInFetchHost, {
  skip: runtime === "node" && "runs on Bun and Deno: npm run test:runtimes",
  holdsBack: runtime === "bun",
  fragments: false,
  pings: runtime === "bun",
  drops: runtime === "bun",
});
