// Stops of channels inside Bun.serve and Deno.serve, and servers that close.

import { runtime } from "../../../src/base/runtime.ts";
import { endsOver } from "../../support/ends-over-hosts.ts";
import { servingInFetchHost } from "../../support/fetch-hosted.ts";

endsOver("a Fetch server", servingInFetchHost, {
  skip: runtime === "node" && "runs on Bun and Deno: npm run test:runtimes",
  drops: runtime === "bun",
});
