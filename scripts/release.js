// @ts-check
// `npm run release` says whether the version in package.json can be published, and prints the commands that would do it. It changes
// nothing. `npm run release -- --publish` runs them. Publishing needs a job of GitHub Actions or GitLab CI, where npm can
// sign where the package comes from (provenance); `--without-provenance` publishes from elsewhere.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { llmsText } from "./lib/llms.js";
import { distTagOf, releaseFaults } from "./lib/release-checks.js";

const options = process.argv.slice(2);
if (options.includes("--refuse")) {
  // Called by `prepublishOnly`: `npm publish` would pack the documents with their relative links.
  console.error("npm publish is not how this package is published: npm run release");
  process.exit(1);
}

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const { version } = manifest;
const tags = tagsOf();
const head = git("rev-parse", "HEAD");
const faults = releaseFaults({
  manifest,
  lock: JSON.parse(readFileSync("package-lock.json", "utf8")),
  changelog: readFileSync("CHANGELOG.md", "utf8"),
  changed: git("status", "--porcelain"),
  head,
  tags,
  isLlmsCurrent: readFileSync("llms.txt", "utf8") === llmsText(),
});
for (const fault of faults) console.error(`not ready: ${fault}`);

const provenance = options.includes("--without-provenance") ? "--provenance=false" : "--provenance";
/** @type {readonly string[][]} */
const commands = [
  ["npm", "ci"],
  ["npm", "test"],
  ["npm", "run", "check"],
  ["npm", "run", "pack"],
  ["npm", "publish", "./dist/unichannel.tgz", "--access=public", `--tag=${distTagOf(version)}`, provenance],
  // In a job that a pushed tag has started, the tag is there.
  ...(tags.has(`v${version}`)
    ? []
    : [
        ["git", "tag", "--annotate", `v${version}`, "--message", `Version ${version}`],
        ["git", "push", "origin", `v${version}`],
      ]),
];

if (!options.includes("--publish")) {
  console.log(`${manifest.name} ${version} at ${head.slice(0, 10)}: npm run release -- --publish would run`);
  for (const command of commands) console.log(`  ${command.join(" ")}`);
} else if (faults.length === 0) {
  for (const [program = "", ...args] of commands) {
    console.log(`> ${program} ${args.join(" ")}`);
    const { status } = spawnSync(program, args, { stdio: "inherit" });
    if (status !== 0) {
      console.error(`${program} ${args.join(" ")} failed. Commands after it were not run.`);
      process.exit(1);
    }
  }
}
if (faults.length > 0) process.exitCode = 1;

/** The tags of versions, each with its commit. */
function tagsOf() {
  const lines = git("tag", "--list", "v*", "--format=%(refname:short) %(*objectname) %(objectname)").split("\n");
  // An annotated tag names its own object last and its commit before it.
  return new Map(lines.filter(Boolean).map((line) => /** @type {[string, string]} */ (line.split(/ +/).slice(0, 2))));
}

/** @param {string[]} args */
function git(...args) {
  const { status, stdout, stderr } = spawnSync("git", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}
