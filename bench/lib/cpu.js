// @ts-check
// Measures the processor time of processes. Linux only: the scheduler counts nanoseconds for every thread, the garbage
// collector's included, in /proc/PID/task/TID/schedstat; /proc/PID/stat (proc(5)) has clock ticks of usually 10 ms, but
// is the only one that includes children that have ended.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export const canReadCpu = process.platform === "linux";

const TICKS_PER_SECOND = canReadCpu ? Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" })) : Number.NaN;

/** The nanoseconds of each thread when they were read last, by process: Bun ends threads that have nothing to do, and /proc forgets them. @type {Map<number | "self", Map<string, number>>} */
const lastRead = new Map();

/**
 * CPU time of the process's threads so far, in seconds: of one that has ended, up to the last reading. NaN if it cannot be read.
 * @param {number | "self"} pid
 */
function cpuSeconds(pid) {
  if (!canReadCpu) return Number.NaN;
  const threads = lastRead.get(pid) ?? new Map();
  lastRead.set(pid, threads);
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      threads.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]));
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return [...threads.values()].reduce((sum, nanoseconds) => sum + nanoseconds, 0) / 1e9;
}

/** The same for several processes together. @param {readonly number[]} pids */
export function cpuSecondsOf(pids) {
  return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

/** CPU time of this process's ended children, in seconds. */
function childrenSeconds() {
  if (!canReadCpu) return Number.NaN;
  const line = readFileSync("/proc/self/stat", "utf8");
  // The second field is the command's name in parentheses and may have spaces; the later fields have none.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/**
 * Time for which the process's main thread was ready to run and had to wait for its core, in seconds so far: others used it.
 * @param {number} pid
 */
function waitSeconds(pid) {
  if (!canReadCpu) return Number.NaN;
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e9;
}

/** The resident size of a process in bytes; NaN if it cannot be read. @param {number} pid */
export function residentBytes(pid) {
  if (!canReadCpu) return Number.NaN;
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

/**
 * Starts a measured window. The function it returns ends it.
 * @param {readonly number[]} serverPids
 */
export function openWindow(serverPids) {
  const server = cpuSecondsOf(serverPids);
  const waited = waitOf(serverPids);
  const generator = cpuSeconds("self") + childrenSeconds();
  const start = process.hrtime.bigint();
  return () => {
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    return {
      seconds,
      serverCpuSeconds: cpuSecondsOf(serverPids) - server,
      serverWaitSeconds: waitOf(serverPids) - waited,
      generatorCpuSeconds: cpuSeconds("self") + childrenSeconds() - generator,
    };
  };
}

/** Servers that share a core wait for one another: that says nothing. @param {readonly number[]} pids */
function waitOf([pid, ...others]) {
  return pid === undefined || others.length > 0 ? 0 : waitSeconds(pid);
}
