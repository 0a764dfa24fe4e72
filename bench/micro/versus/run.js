// @ts-check
// The same paths of two checkouts, over streams without sockets: `node bench/micro/versus/run.js --before ../before [PATH…]`,
// both installed and built. Other processes can only make a round longer, so the shortest of many short rounds is compared, and
// the checkouts alternate. If `perf` may count processor instructions, it does: other work hardly changes their number.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { OWN } from "../../lib/engine.js";
import { PATH_NAMES } from "../../lib/paths.js";
import { summary } from "../../lib/stats.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    before: { type: "string" },
    processes: { type: "string", default: "5" },
    turns: { type: "string", default: "20" },
  },
});
const unknown = positionals.filter((name) => !PATH_NAMES.includes(name));
if (values.before === undefined || unknown.length > 0) {
  console.error(`usage: run.js --before CHECKOUT [--processes 5] [--turns 20] [PATH…]: ${PATH_NAMES.join(", ")}`);
  process.exit(2);
}

/** With one thread, the work of the JIT and of the garbage collector is counted with the measured code. */
const FLAGS = ["--single-threaded", "--max-semi-space-size=16"];
const PROGRAM = fileURLToPath(new URL("path.js", import.meta.url));
const ROUNDS = 10;
const WARMUP_ROUNDS = 60;
const canCount = spawnSync("perf", ["stat", "-e", "instructions:u", "-x,", "true"], { encoding: "utf8" });
const hasPerf = canCount.status === 0 && /^\d/m.test(canCount.stderr);

/** @typedef {{ ns: number, instructions: number }} Cost */

/** @param {string} name @param {string} before @param {string} now @returns {Promise<[Cost, Cost]>} */
async function compare(name, before, now) {
  const sides = [new Side(before, name), new Side(now, name)];
  for (const side of sides) await side.begin();
  for (let turn = Number(values.turns); turn > 0; turn--) for (const side of sides) await side.run();
  const [first, second] = [await sides[0]?.end(), await sides[1]?.end()];
  return [/** @type {Cost} */ (first), /** @type {Cost} */ (second)];
}

/** A process that runs a path of one checkout. */
class Side {
  #ns = Number.POSITIVE_INFINITY;
  #operations = 0;
  #counted = 0;
  #file = join(tmpdir(), `unichannel-versus-${process.pid}-${Math.random()}`);
  #child;
  #lines;

  /** @param {string} checkout @param {string} name */
  constructor(checkout, name) {
    const command = [process.execPath, ...FLAGS, PROGRAM, checkout, name];
    const perf = [
      "perf",
      "stat",
      "-e",
      "instructions:u",
      "-x,",
      "-o",
      this.#file,
      "-D",
      "-1",
      "--control",
      "fd:3,4",
      "--",
    ];
    const [program = "", ...args] = hasPerf ? [...perf, ...command] : command;
    // `perf` repeats on stderr the commands from the control descriptor.
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe", "pipe", "pipe"] });
    this.#child.stderr?.on("data", (text) => {
      const errors = String(text).replace(/^Events (?:en|dis)abled\n/gm, "");
      if (errors !== "") process.stderr.write(errors);
    });
    this.#lines = createInterface({ input: /** @type {any} */ (this.#child.stdout) })[Symbol.asyncIterator]();
  }

  async begin() {
    this.#operations = Number(await this.#line());
    await this.#ask(WARMUP_ROUNDS);
  }

  async run() {
    await this.#count("enable");
    this.#ns = Math.min(this.#ns, await this.#ask(ROUNDS));
    await this.#count("disable");
    this.#counted += ROUNDS * this.#operations;
  }

  /** @returns {Promise<Cost>} */
  async end() {
    const ended = new Promise((done) => this.#child.once("close", done));
    this.#child.stdin?.end();
    await ended;
    if (!hasPerf) return { ns: this.#ns, instructions: Number.NaN };
    const [count] = /^\d+/m.exec(readFileSync(this.#file, "utf8")) ?? [];
    rmSync(this.#file);
    return { ns: this.#ns, instructions: Number(count) / this.#counted };
  }

  /** @param {number} rounds */
  async #ask(rounds) {
    this.#child.stdin?.write(`${rounds}\n`);
    return Number(await this.#line());
  }

  async #line() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("a process has ended too soon");
    return value;
  }

  /** Resolves when `perf` has acknowledged the command. @param {"enable" | "disable"} command */
  async #count(command) {
    if (!hasPerf) return;
    const control = /** @type {import("node:net").Socket} */ (this.#child.stdio[3]);
    const answer = /** @type {import("node:net").Socket} */ (this.#child.stdio[4]);
    const answered = new Promise((done) => answer.once("data", done));
    control.write(`${command}\n`);
    await answered;
  }
}

if (!hasPerf)
  console.log("perf may not count here: node bench/guard.js --before CHECKOUT PATH counts instructions with valgrind");
for (const name of positionals.length > 0 ? positionals : PATH_NAMES) {
  /** @type {{ before: Cost[], now: Cost[] }} */
  const costs = { before: [], now: [] };
  for (let i = Number(values.processes); i > 0; i--) {
    const [before, now] = await compare(name, resolve(values.before), fileURLToPath(OWN));
    costs.before.push(before);
    costs.now.push(now);
  }
  console.log(
    `${name.padEnd(16)} ${line("ns", "ns", 0)}${hasPerf ? `   ${line("instructions", "instructions", 0)}` : ""}`,
  );

  /** The lowest value of all processes with its ratio, and the ratio of each pair of processes. @param {"ns" | "instructions"} key */
  function line(key, unit = "", digits = 0) {
    const [before, now] = [costs.before, costs.now].map((side) => Math.min(...side.map((cost) => cost[key])));
    const each = summary(costs.now.map((cost, i) => cost[key] / (costs.before[i]?.[key] ?? Number.NaN)));
    const text = [before, now].map((value) => (value ?? 0).toFixed(digits).padStart(6));
    const ratio = ((now ?? 0) / (before ?? 0)).toFixed(3);
    return `${text[0]} → ${text[1]} ${unit}, now / before ${ratio} (${each.min.toFixed(2)}–${each.max.toFixed(2)})`;
  }
}
