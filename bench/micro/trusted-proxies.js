// @ts-check
// Checks whether an address is a trusted proxy's (src/server/trusted-proxies.ts): with a cache, compared with node:net's
// BlockList each time.
import { BlockList } from "node:net";
import { bench, do_not_optimize, run, summary } from "mitata";
import { toProxyMatcher } from "../../dist/src/server/trusted-proxies.js";

const trusts = toProxyMatcher(["10.0.0.0/8", "192.168.0.0/16"], () => false, console.error);
const ranges = new BlockList();
ranges.addSubnet("10.0.0.0", 8);
ranges.addSubnet("192.168.0.0", 16);

summary(() => {
  bench("remembered", () => do_not_optimize(trusts?.("10.1.2.3")));
  bench("BlockList", () => do_not_optimize(ranges.check("10.1.2.3")));
});

await run();
