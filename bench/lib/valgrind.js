// @ts-check
// Counts the processor instructions of parts of a Node program with valgrind, which runs the program on a processor of its own: other work on the
// machine changes the time that it takes, and not the number. It is some 50 times slower than the machine.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { endedAtExit, temporaryFolder } from "./at-exit.js";

/**
 * Ends a part, and begins the next one. callgrind writes a file of counts when the program enters a function of the C library that nothing else calls.
 * A mark costs some 1,000 instructions.
 */
export function mark() {
  process.umask(0o022);
}

const MARK = "--dump-before=umask";

/** The version of valgrind, such as `valgrind-3.19.0`; undefined where it is not installed. */
export function valgrindVersion() {
  const { status, stdout } = spawnSync("valgrind", ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/**
 * Runs a program and resolves to what it has printed, and to the instructions of each part.
 * @param {readonly string[]} args of node
 * @returns {Promise<{ output: string, parts: number[] }>}
 */
export async function countParts(args) {
  const { folder, remove } = temporaryFolder("bench-valgrind-");
  try {
    const valgrind = ["--quiet", "--tool=callgrind", MARK, `--callgrind-out-file=${join(folder, "part")}`];
    const child = endedAtExit(spawn("valgrind", [...valgrind, process.execPath, ...args]));
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
    const status = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    if (status !== 0) throw new Error(`valgrind node ${args.join(" ")} has ended with ${status}:\n${errors}`);
    return { output, parts: readParts(folder) };
  } finally {
    remove();
  }
}

/** The instructions of the parts that end with a mark. @param {string} folder */
function readParts(folder) {
  return readdirSync(folder)
    .map((name) => Number(/^part\.(\d+)$/.exec(name)?.[1]))
    .filter((part) => part > 0)
    .toSorted((a, b) => a - b)
    .map((part) => toInstructions(readFileSync(join(folder, `part.${part}`), "utf8")));
}

/** The sum of all functions in a file of callgrind. @param {string} text */
export function toInstructions(text) {
  const events = /^events: (.*)$/m.exec(text)?.[1];
  const totals = /^totals: (\d+)/m.exec(text)?.[1];
  if (events?.split(" ")[0] !== "Ir" || totals === undefined)
    throw new Error(`callgrind has written no counts: ${text.slice(0, 200)}`);
  return Number(totals);
}
