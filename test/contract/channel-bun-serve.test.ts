// The contract of a channel inside Bun.serve: `npm run test:runtimes` runs it. docs/reference/hosts.md has the differences.

import { runtime } from "../../src/base/runtime.ts";
import { servingInFetchHost } from "../support/fetch-hosted.ts";
import { HOSTS } from "./hosts.ts";
import { contractOver } from "./transports.ts";

contractOver("Bun.serve", servingInFetchHost, {
  skip: runtime !== "bun" && "runs on Bun: npm run test:runtimes",
  webSocket: HOSTS["Bun.serve"],
});
