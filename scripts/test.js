// Runs every compiled test (dist/test/**/*.test.js), or those whose path contains one of the arguments.
//   --long            also those that take minutes each; `npm run test:long` runs these alone
//   --concurrency=N   so many files at a time; 4 by default, as most wait for timeouts and brokers half of their time
// Node 20's own runner takes files, not patterns, so the listing is done here.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { installExamples } from "./lib/install-examples.js";

/**
 * Faults in services of several processes with real brokers, and browsers other than Chromium. A path among the arguments runs one of
 * them as well.
 */
const LONG = [
  ...["fault/hand-overs-", "fault/crashes-", "fault/group-operations", "fault/session-stores"],
  ...["fault/streams", "fault/snapshots-", "browser/firefox", "browser/webkit"],
];

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith("--"));
const concurrency = args.find((arg) => arg.startsWith("--concurrency="))?.slice("--concurrency=".length) ?? "4";
const files = readdirSync("dist/test", { recursive: true })
  .map((name) => `dist/test/${name}`)
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => (wanted.length === 0 ? isInTime(name) : wanted.some((part) => matches(name, part))))
  .sort();
if (wanted.length === 0 && !args.includes("--long")) {
  console.log(`left out, because they take minutes each: ${LONG.join(" ")}; npm run test:long runs them\n`);
}
if (files.length === 0) {
  console.error("no test file matches", wanted.join(" "));
  process.exit(1);
}
if (files.some((name) => /\/frameworks\/|uws/.test(name))) installExamples("frameworks");
if (files.some((name) => name.includes("mcp"))) installExamples("mcp");
const reporter = process.env["TEST_REPORTER"] ?? "./scripts/reporter.js";
const run = spawnSync(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    `--test-concurrency=${concurrency}`,
    // A file that hangs fails instead of all of them: the slowest takes a minute, those that are run by their name half an hour.
    `--test-timeout=${files.some(isLong) ? 3_600_000 : 600_000}`,
    `--test-reporter=${reporter}`,
    ...files,
  ],
  { stdio: "inherit" },
);
process.exit(run.status ?? 1);

/** A folder does not bring its long files with it. @param {string} name @param {string} part */
function matches(name, part) {
  return name.includes(part) && (!part.endsWith("/") || isInTime(name));
}

/** @param {string} name */
function isInTime(name) {
  return args.includes("--long") || !isLong(name);
}

/** @param {string} name */
function isLong(name) {
  return LONG.some((part) => name.includes(`/${part}`));
}
