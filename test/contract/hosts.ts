// The hosts with an engine of their own that the contract runs over, and the capabilities that their WebSockets lack.
// docs/reference/hosts.md has a column for each; `hosts-table.test.ts` compares them.

import type { WebSocketLacks } from "./transports.ts";

export const HOSTS: Readonly<Record<"Bun.serve" | "Deno.serve" | "uWebSockets.js", WebSocketLacks>> = {
  "Bun.serve": { fragments: false },
  "Deno.serve": { fragments: false, pings: false, holdsBack: false, drops: false },
  "uWebSockets.js": { holdsBack: false },
};
