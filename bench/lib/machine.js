// @ts-check
// What a number was measured on: stands in every result file.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";

/** @param {readonly string[]} packages names under node_modules whose versions matter */
export function machineFacts(packages) {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    loadAverage: os.loadavg()[0] ?? 0,
    commit: output("git", ["describe", "--always", "--dirty"]),
    packages: Object.fromEntries(packages.map((name) => [name, packageVersion(name)])),
  };
}

/** Whether the command is installed, which of course has to be asked of the PATH. @param {string} command */
export function hasCommand(command) {
  return output("sh", ["-c", `command -v ${command}`]) !== undefined;
}

/** The cores that this process may run on, by their numbers; none where that is not known. */
export function allowedCores() {
  const list = process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
  const ranges = /^Cpus_allowed_list:\s*(\S+)/m.exec(list)?.[1]?.split(",") ?? [];
  return ranges.flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** The most files that a process may open; Node itself raises its soft limit to this one. */
export function openFilesLimit() {
  const limit = output("sh", ["-c", "ulimit -Hn"]);
  return limit === undefined || limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}

/** @param {string} name */
function packageVersion(name) {
  return JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
}

/** What the command prints, or undefined where it does not run. @param {string} command @param {string[]} args */
function output(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
