// @ts-check
// Runs the tests with Bun and Deno, which come from npm: `npm run test:runtimes`. The contracts, the server, the client and the
// groups; each file in a process of its own.
//   --quick             the contracts, and of the server what depends on sockets most
//   PART …              test files whose path contains one of these
//   --runtime=bun       this one alone
//   --concurrency=N     so many files at a time; 4 by default
//   --retries=N         a file that fails is run again, alone, so often; 1 by default. Its output and the totals show it
// Totals and the reasons of skipped tests stand at the end of each; the last lines name the tests that failed, and those that passed
// only when their file was run again. What the runtimes lack is named in test/support/runtime.ts.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fetchPackage } from "./lib/fetch-package.js";

const FOLDERS = ["contract/", "server/", "client/", "group/", "hosts/fetch/", "processes/options"];
/** These wait little: all of them take half a minute on two processors. */
const QUICK = [
  "contract/channel-tcp",
  "contract/channel-tls",
  "contract/channel-unix",
  "contract/channel-bun-serve",
  "contract/channel-deno-serve",
  "server/ws-",
  "server/bodies",
  "server/fetch",
  "server/stop",
  "server/net-stream",
  "server/tls",
];
/** A file that hangs fails. The slowest takes a minute, and some on a busy machine. */
const FILE_TIMEOUT_MS = 300_000;
/** Reasons that a contract suite gives for a row which its transport cannot have, as in reporter.js. */
const CAPABILITY = /^needs \w+( and \w+)*$/;

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} program
 * @property {readonly string[]} args those before the file
 * @typedef {import("./lib/recorded-test.js").Record} Record
 * @typedef {{ file: string, isOk: boolean, records: Record[], output: string, ms: number, failedFirst?: string[] }} Result
 */

const lib = fileURLToPath(new URL("./lib/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "unichannel-runtimes-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const args = process.argv.slice(2);
const parts = args.filter((arg) => !arg.startsWith("--"));
const chosen = valuesOf("runtime");
const concurrency = Number(valuesOf("concurrency")[0] ?? 4);
const retries = Number(valuesOf("retries")[0] ?? 1);
const all = { bun, deno };

const files = readdirSync("dist/test", { recursive: true })
  .map((name) => `dist/test/${name}`)
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => wanted().some((part) => name.includes(`/${part}`)))
  .sort();
if (files.length === 0) {
  console.error("no test file matches", parts.join(" "));
  process.exit(1);
}

/** The last lines of the output. @type {string[]} */
const summary = [];
let isAllOk = true;
for (const [key, find] of Object.entries(all)) {
  if (chosen.length > 0 && !chosen.includes(key)) continue;
  const runtime = find();
  console.log(`\n${runtime.name}`);
  const start = performance.now();
  const results = await runAll(runtime);
  const isOk = report(results);
  console.log(`${runtime.name}: ${isOk ? "ok" : "FAILED"} after ${((performance.now() - start) / 1000).toFixed(0)} s`);
  isAllOk &&= isOk;
  summary.push(...linesOfFailures(runtime, results));
}
console.log(`\n${summary.length > 0 ? summary.join("\n") : "nothing failed"}`);
if (!isAllOk) process.exit(1);

/** @param {string} name */
function valuesOf(name) {
  const start = `--${name}=`;
  return args.filter((arg) => arg.startsWith(start)).map((arg) => arg.slice(start.length));
}

function wanted() {
  if (args.includes("--quick")) return [...QUICK, ...parts];
  return parts.length > 0 ? parts : FOLDERS;
}

/** @returns {Runtime} */
function bun() {
  const program = join(fetchPackage("bun", "1"), "bin", "bun.exe");
  // Bun's own limit for a test is 5 s.
  const limits = ["--timeout", String(FILE_TIMEOUT_MS)];
  const flags = ["test", "--preload", join(lib, "recorded-test-bun.js"), ...limits];
  return { name: `Bun ${versionOf(program)}`, program, args: flags };
}

/** @returns {Runtime} */
function deno() {
  const found = fetchPackage("deno", "2");
  // Puts the program into the package's folder, where npm runs no install scripts.
  spawnSync(process.execPath, [join(found, "bin.cjs"), "--version"]);
  const program = join(found, process.platform === "win32" ? "deno.exe" : "deno");
  const recorded = pathToFileURL(join(lib, "recorded-test.js")).href;
  const map = join(folder, "import-map.json");
  const imports = { "node:test": recorded };
  writeFileSync(map, JSON.stringify({ imports, scopes: { [recorded]: { "node:test": "node:test" } } }));
  const flags = ["test", "--allow-all", "--no-check", `--import-map=${map}`];
  return { name: `Deno ${versionOf(program)}`, program, args: flags };
}

/** @param {string} program */
function versionOf(program) {
  const { stdout, error } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (error !== undefined) throw new Error(`${program} does not start`, { cause: error });
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "of unknown version";
}

/** @param {Runtime} runtime */
async function runAll(runtime) {
  const waiting = [...files];
  /** @type {Result[]} */
  const results = [];
  async function worker() {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const result = await runFile(runtime, file);
      console.log(lineOf(result));
      results.push(result);
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  for (const [i, first] of results.entries()) {
    for (let times = 0; times < retries && !results[i]?.isOk; times++) {
      if (times === 0) console.log(`\n${first.output}`);
      const again = await runFile(runtime, first.file);
      console.log(`alone: ${lineOf(again)}`);
      results[i] = { ...again, failedFirst: results[i]?.failedFirst ?? failuresOf(first) };
    }
  }
  return results;
}

/**
 * @param {Runtime} runtime
 * @param {string} file
 * @returns {Promise<Result>}
 */
function runFile({ program, args: flags }, file) {
  const record = join(folder, `${file.replaceAll("/", "_")}.jsonl`);
  rmSync(record, { force: true });
  const env = { ...process.env, UNICHANNEL_RECORD: record, NO_COLOR: "1" };
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...flags, `./${file}`], { stdio: ["ignore", "pipe", "pipe"], env });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    const timer = setTimeout(() => {
      output += `\nstopped after ${FILE_TIMEOUT_MS / 1000} s\n`;
      child.kill("SIGKILL");
    }, FILE_TIMEOUT_MS);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const ms = performance.now() - start;
      resolve({ file, isOk: code === 0, records: recordsOf(record), output, ms });
    });
  });
}

/** @param {string} path */
function recordsOf(path) {
  try {
    const lines = readFileSync(path, "utf8").split("\n").filter(Boolean);
    return lines.map((line) => /** @type {Record} */ (JSON.parse(line)));
  } catch {
    return [];
  }
}

/** @param {Result} result */
function lineOf({ file, isOk, records, ms }) {
  const count = countsOf(records);
  const skipped = records.filter(isSkip).length;
  const rest = `${count.failed > 0 ? `, ${count.failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  return `${isOk ? "ok" : "FAILED"} ${file}: ${count.passed} passed${rest} (${(ms / 1000).toFixed(1)} s)`;
}

/** The names of the tests that have failed; the end of the file's process where none was recorded. @param {Result} result */
function failuresOf({ records }) {
  const names = records.filter(({ outcome }) => outcome === "failed").map(({ name }) => name);
  return names.length > 0 ? names : ["its process did not end well"];
}

/** The name of each test that has failed, at last or at first. @param {Runtime} runtime @param {Result[]} results */
function linesOfFailures({ name: on }, results) {
  const lines = [];
  for (const result of results) {
    const file = result.file.slice("dist/test/".length);
    if (!result.isOk) lines.push(...failuresOf(result).map((name) => `FAILED on ${on}: ${file}: ${name}`));
    else if (result.failedFirst !== undefined) {
      lines.push(...result.failedFirst.map((name) => `passed only when run again, on ${on}: ${file}: ${name}`));
    }
  }
  return lines;
}

/** Prints the totals. True if nothing failed. @param {Result[]} results */
function report(results) {
  const records = results.flatMap((result) => result.records);
  const failures = results.filter(({ isOk }) => !isOk);
  for (const { file, output } of failures) console.log(`\nfailed: ${file}\n${output}`);
  const { passed, failed: failedTests, skipped } = countsOf(records);
  /** @type {Map<string, number>} */
  const reasons = new Map();
  const skips = records.filter(isSkip);
  for (const { reason = "" } of skips) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  console.log("");
  if (skipped > skips.length) console.log(`not applicable (capability of a transport): ${skipped - skips.length}`);
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) console.log(`skipped: ${count}: ${reason}`);
  const flaky = results.filter(({ isOk, failedFirst }) => isOk && failedFirst !== undefined).length;
  const again = flaky > 0 ? `, ${flaky} files passed only when run again` : "";
  console.log(`${passed} passed, ${failedTests} failed, ${skips.length} skipped${again}`);
  return failures.length === 0 && failedTests === 0 && passed > 0;
}

/** @param {Record[]} records */
function countsOf(records) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { outcome } of records) counts[outcome] += 1;
  return counts;
}

/** A test that was skipped though its transport could have it. @param {Record} record */
function isSkip({ outcome, reason = "" }) {
  return outcome === "skipped" && !CAPABILITY.test(reason);
}
