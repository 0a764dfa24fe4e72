// @ts-check
// The machine of a measurement, for every result file.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import os from "node:os";

export function machineFacts() {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.cpus().length,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    loadAverage: os.loadavg()[0] ?? 0,
    commit: output("git", ["describe", "--always", "--dirty"]),
    packages: peerVersions(),
  };
}

/** Whether the command is installed, which of course has to be asked of the PATH. @param {string} command */
export function hasCommand(command) {
  return output("sh", ["-c", `command -v ${command}`]) !== undefined;
}

/** The numbers of the cores on which this process may run; empty if they are unknown. */
export function allowedCores() {
  const list = process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
  const ranges = /^Cpus_allowed_list:\s*(\S+)/m.exec(list)?.[1]?.split(",") ?? [];
  return ranges.flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** The largest number of files that a process may open; Node itself raises its soft limit to this one. */
export function openFilesLimit() {
  const limit = output("sh", ["-c", "ulimit -Hn"]);
  return limit === undefined || limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}

/** Packages of the project's own that the servers of a row have in common. */
const COMMON = ["zod"];

/** The installed versions of the packages in bench/package.json, and of those that servers have in common. */
function peerVersions() {
  const bench = new URL("../", import.meta.url);
  const { dependencies } = JSON.parse(readFileSync(new URL("package.json", bench), "utf8"));
  /** @type {Record<string, string>} */
  const versions = {};
  for (const name of [...Object.keys(dependencies), ...COMMON]) {
    const manifest = ["", "../"]
      .map((folder) => new URL(`${folder}node_modules/${name}/package.json`, bench))
      .find((url) => existsSync(url));
    if (manifest !== undefined) versions[name] = JSON.parse(readFileSync(manifest, "utf8")).version;
  }
  return versions;
}

/** The command's output, or undefined if it does not run. @param {string} command @param {string[]} args */
function output(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}
