// Sessions inside Bun.serve and Deno.serve, by the client itself.

import { runtime } from "../../../src/base/runtime.ts";
import { servingInFetchHost } from "../../support/fetch-hosted.ts";
import { sessionsOver } from "../../support/session-over-hosts.ts";

sessionsOver("a Fetch server", servingInFetchHost, runtime === "node" && "runs on Bun and Deno: npm run test:runtimes");
