// Runs every compiled test (dist/test/**/*.test.js), or those whose path contains one of the arguments.
//   --long            also those that take minutes each
//   --long-only       these alone: `npm run test:long`
//   --concurrency=N   so many files at a time; 5 by default, as most wait for timeouts and brokers half of their time
// Node 20's own runner takes files, not patterns, and sorts them by name, so the listing is done here.
// Needs `node --enable-source-maps`, which the process of each file gets as well.
import { readdirSync } from "node:fs";
import { run } from "node:test";
import { installExamples } from "./lib/install-examples.js";
import report from "./reporter.js";

/**
 * Faults in services of several processes with real brokers, browsers other than Chromium, and the site, which has to be built. A path
 * among the arguments runs one of them as well.
 */
const LONG = [
  ...["fault/hand-overs-", "fault/crashes-", "fault/group-operations", "fault/session-stores"],
  ...["fault/streams", "fault/snapshots-", "processes/faults", "browser/firefox", "browser/webkit", "browser/site"],
];

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith("--"));
const concurrency = Number(args.find((arg) => arg.startsWith("--concurrency="))?.slice("--concurrency=".length) ?? 5);
const files = readdirSync("dist/test", { recursive: true })
  .map((name) => `dist/test/${name}`)
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => (wanted.length === 0 ? isInTime(name) : wanted.some((part) => matches(name, part))))
  .sort();
if (wanted.length === 0 && !args.some((arg) => arg.startsWith("--long"))) {
  console.log(`left out, because they take minutes each: ${LONG.join(" ")}; npm run test:long runs them\n`);
}
if (files.length === 0) {
  console.error("no test file matches", wanted.join(" "));
  process.exit(1);
}
if (files.some((name) => /\/frameworks\/|uws/.test(name))) installExamples("frameworks");
if (files.some((name) => name.includes("mcp"))) installExamples("mcp");
run({
  files: inTurns(files),
  concurrency,
  // A file that hangs fails instead of all of them: the slowest takes a minute, those that are run by their name half an hour.
  timeout: files.some(isLong) ? 3_600_000 : 600_000,
})
  .on("test:fail", ({ todo }) => {
    if (todo === undefined || todo === false) process.exitCode = 1;
  })
  .compose(report)
  .pipe(process.stdout);

/**
 * Takes a file of each folder in turn. Those of one folder need the same thing, processors or timeouts: in the order of their names,
 * four Chromiums at once slow one another down, and nothing is busy while four brokers expire their sessions.
 * @param {string[]} names
 */
function inTurns(names) {
  /** @type {Map<string, string[]>} */
  const folders = new Map();
  for (const name of names) {
    const folder = name.split("/")[2] ?? "";
    folders.set(folder, [...(folders.get(folder) ?? []), name]);
  }
  return names.flatMap((_, i) => [...folders.values()].flatMap((inFolder) => inFolder[i] ?? []));
}

/** A folder does not bring its long files with it. @param {string} name @param {string} part */
function matches(name, part) {
  return name.includes(part) && (!part.endsWith("/") || isInTime(name));
}

/** @param {string} name */
function isInTime(name) {
  return args.includes("--long") || isLong(name) === args.includes("--long-only");
}

/** @param {string} name */
function isLong(name) {
  return LONG.some((part) => name.includes(`/${part}`));
}
