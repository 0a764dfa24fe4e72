// The contract of a channel inside Deno.serve: `npm run test:runtimes` runs it. docs/reference/hosts.md has the differences.

import { runtime } from "../../src/base/runtime.ts";
import { servingInFetchHost } from "../support/fetch-hosted.ts";
import { HOSTS } from "./hosts.ts";
import { contractOver } from "./transports.ts";

contractOver("Deno.serve", servingInFetchHost, {
  skip: runtime !== "deno" && "runs on Deno: npm run test:runtimes",
  webSocket: HOSTS["Deno.serve"],
});
