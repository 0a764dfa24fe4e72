// @ts-check
// Measures what an open page of the inspector costs its server, apart from the server's work: processor instructions for each second,
// while many WebSockets are silent. `node bench/inspector.js [COUNT…]`. Needs `perf`. The second half of a run counts: V8 has compiled by then.
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const COUNTS = process.argv.length > 2 ? process.argv.slice(2) : ["1000", "5000", "20000"];
const SECONDS = 120;
const PROGRAM = fileURLToPath(new URL("lib/inspected-seconds.js", import.meta.url));
const OUTPUT = join(tmpdir(), `bench-inspector-${process.pid}`);

/** @param {string} count @param {string} mode @param {number} seconds */
function instructions(count, mode, seconds) {
  const args = ["stat", "-e", "instructions:u", "-x,", "-o", OUTPUT, process.execPath, "--single-threaded"];
  const { status } = spawnSync("perf", [...args, PROGRAM, count, mode, `${seconds}`], { stdio: "inherit" });
  if (status !== 0) throw new Error("perf is not installed, or may not count");
  const [counted] = /^\d+/m.exec(readFileSync(OUTPUT, "utf8")) ?? [];
  return Number(counted);
}

/** Millions of instructions in a second. @param {string} count @param {string} mode */
function perSecond(count, mode) {
  return (instructions(count, mode, SECONDS) - instructions(count, mode, SECONDS / 2)) / (SECONDS / 2) / 1e6;
}

console.log("| WebSockets | nobody looks | an open page | it costs |\n| --- | --- | --- | --- |");
for (const count of COUNTS) {
  const alone = perSecond(count, "alone");
  const open = perSecond(count, "open");
  const [a, b, c] = [alone, open, open - alone].map((value) => value.toFixed(1));
  console.log(`| ${Number(count).toLocaleString("en-US")} | ${a} | ${b} | ${c} |`);
}
rmSync(OUTPUT);
