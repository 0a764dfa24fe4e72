// @ts-check
// `npm run check`: the checks that a change must pass besides the tests. Each tool is silent unless it finds something.
import { spawnSync } from "node:child_process";

/** @type {readonly [what: string, tool: string, ...args: string[]][]} */
const STEPS = [
  ["format and lint", "biome", "ci", "--colors=off"],
  ["types of src, demo and test", "tsc", "--build"],
  ["types of the scripts that ask for it with @ts-check", "tsc", "-p", "bench"],
  ["types of the examples and of the demo's page", "tsc", "-p", "examples"],
  ["unused files, exports and dependencies", "knip"],
  ["an integrity hash for each package", "node", "scripts/lock.js"],
  ["the site: every page, link and anchor", "node", "site/scripts/check.js"],
  ["the client's size", "node", "scripts/size.js"],
  ["llms.txt", "node", "scripts/llms.js", "--check"],
  ["the package", "node", "scripts/pack.js"],
  ["its manifest", "publint", "dist/unichannel.tgz", "--strict"],
  ["its types as its users resolve them", "attw", "dist/unichannel.tgz", "--profile", "esm-only", "--no-emoji"],
  ["the packed types without skipLibCheck, as users compile them", "node", "scripts/package-types.js"],
];

for (const [what, tool, ...args] of STEPS) {
  process.stdout.write(`${what} (${tool})`);
  const start = performance.now();
  const command = tool === "node" ? process.execPath : `node_modules/.bin/${tool}`;
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (status !== 0) {
    console.log(`: failed after ${seconds} s\n\n${stdout}${stderr}${error ?? ""}`);
    process.exit(1);
  }
  console.log(`: ${seconds} s`);
}
