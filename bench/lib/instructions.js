// @ts-check
// Counts the processor instructions of a process, in user and kernel mode, with `perf` if it may count. Other work
// on the machine makes a window longer and its caches colder, but hardly changes this number.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const EVENT = "instructions";

const probe = spawnSync("perf", ["stat", "-e", EVENT, "-x,", "true"], { encoding: "utf8" });
const canCount = probe.status === 0 && /^\d/m.test(probe.stderr);

/**
 * Attaches a counter to processes, which does not count yet. Returns undefined if `perf` is missing or may not count.
 * @param {readonly number[]} pids
 */
export function attachCounter(pids) {
  if (!canCount || pids.length === 0) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "bench-perf-"));
  const [control, answer, output] = ["control", "answer", "output"].map((name) => join(folder, name));
  execFileSync("mkfifo", [control ?? "", answer ?? ""]);
  const args = ["stat", "-p", pids.join(","), "-e", EVENT, "-x,", "-o", output ?? "", "-D", "-1"];
  const perf = spawn("perf", [...args, "--control", `fifo:${control},${answer}`], { stdio: "ignore" });
  // Opened for both directions, a pipe does not wait for its other end.
  const [commands, answers] = [openSync(control ?? "", "r+"), openSync(answer ?? "", "r+")];
  /** Waits until it is done. @param {"enable" | "disable"} command */
  const tell = (command) => {
    writeSync(commands, `${command}\n`);
    readSync(answers, Buffer.alloc(16));
  };
  return {
    begin: () => tell("enable"),
    end: () => tell("disable"),
    /** The instructions between `begin` and `end`. @returns {Promise<number>} */
    async read() {
      const ended = new Promise((resolve) => perf.once("exit", resolve));
      perf.kill("SIGINT");
      await ended;
      const [count] = /^\d+/m.exec(readFileSync(output ?? "", "utf8")) ?? [];
      closeSync(commands);
      closeSync(answers);
      rmSync(folder, { recursive: true });
      return Number(count);
    },
  };
}
