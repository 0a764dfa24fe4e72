// @ts-check
// `npm run check`: the checks that a change must pass besides the tests. Each tool is silent unless it finds something. What one step
// makes, a later one of its list reads. After the build the two lists run side by side: the site takes as long as all the others.
import { spawn } from "node:child_process";
import { once } from "node:events";

/** @typedef {readonly [what: string, tool: string, ...args: string[]]} Step */

/** @type {readonly Step[]} */
const BUILD = [
  ["format and lint", "biome", "ci", "--colors=off"],
  ["types of src, demo and test", "tsc", "--build"],
];

/** @type {readonly Step[]} */
const SITE = [["the site: every page, link and anchor", "node", "site/scripts/check.js"]];

/** @type {readonly Step[]} */
const OTHERS = [
  ["types of the scripts that ask for it with @ts-check", "tsc", "-p", "bench"],
  ["types of the examples and of the demo's page", "tsc", "-p", "examples"],
  ["unused files, exports and dependencies", "knip"],
  ["an integrity hash for each package", "node", "scripts/lock.js"],
  ["the client's size", "node", "scripts/size.js"],
  ["llms.txt", "node", "scripts/llms.js", "--check"],
  ["the package", "node", "scripts/pack.js"],
  ["its manifest", "publint", "dist/unichannel.tgz", "--strict"],
  ["its types as its users resolve them", "attw", "dist/unichannel.tgz", "--profile", "esm-only", "--no-emoji"],
  ["the packed types without skipLibCheck, as users compile them", "node", "scripts/package-types.js"],
];

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();
process.once("exit", () => {
  for (const child of running) child.kill();
});

await runAll(BUILD);
await Promise.all([runAll(SITE), runAll(OTHERS)]);

/** Runs one step after the other. The first that fails ends the process. @param {readonly Step[]} steps */
async function runAll(steps) {
  for (const [what, tool, ...args] of steps) {
    const start = performance.now();
    const { isOk, output } = await outputOf(tool === "node" ? process.execPath : `node_modules/.bin/${tool}`, args);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${what} (${tool}): ${isOk ? `${seconds} s` : `failed after ${seconds} s\n\n${output}`}`);
    if (!isOk) process.exit(1);
  }
}

/** @param {string} command @param {readonly string[]} args */
async function outputOf(command, args) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [status] = await once(child, "close");
  running.delete(child);
  return { isOk: status === 0, output };
}
