// @ts-check
// Runs the tests with other versions of Node, which come as npm's `node` package: `npm run test:nodes`.
//   --quick      what depends on Node most: the contracts of the engine and of node:http, and the client under faults
//   PART …       test files whose path contains one of these
//   --node=24    this version alone; may be given several times
// Totals of each version stand at the end. What is built once runs on all of them.
import { spawnSync } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { fetchPackage } from "./lib/fetch-package.js";

const VERSIONS = ["22", "24", "26"];
/** Most of these files wait for timeouts and brokers half of their time: more of them than there are processors. */
const CONCURRENCY = 4;
const QUICK = ["contract/channel-tcp", "contract/channel-node-", "client/faults"];

const args = process.argv.slice(2);
const chosen = args.filter((arg) => arg.startsWith("--node=")).map((arg) => arg.slice("--node=".length));
const parts = args.filter((arg) => !arg.startsWith("--"));

const failed = [];
for (const version of chosen.length > 0 ? chosen : VERSIONS) {
  const node = join(fetchPackage("node", version), "bin", "node");
  const { stdout: name, error } = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${node} does not start: does npm run the install script of "node"?`);
  console.log(`\nNode ${name.trim()}`);
  const start = performance.now();
  const files = args.includes("--quick") ? [...QUICK, ...parts] : parts;
  // The programs that tests start themselves are to have the same Node.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}` };
  const { status } = spawnSync(
    node,
    ["--enable-source-maps", "scripts/test.js", `--concurrency=${CONCURRENCY}`, ...files],
    {
      stdio: "inherit",
      env,
    },
  );
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(`Node ${name.trim()}: ${status === 0 ? "ok" : "FAILED"} after ${seconds} s`);
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) {
  console.error(`\nfailed on Node ${failed.join(", ")}`);
  process.exit(1);
}
