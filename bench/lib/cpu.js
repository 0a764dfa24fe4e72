// @ts-check
// How much processor time a process has used. Linux only: it is read from /proc/PID/stat (proc(5)), which counts every
// thread of the process, the garbage collector's included, in clock ticks (usually 10 ms).
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

export const canReadCpu = process.platform === "linux";

const TICKS_PER_SECOND = canReadCpu ? Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" })) : Number.NaN;

/**
 * User and system time of the process so far, in seconds, and that of its children that have ended and been waited for.
 * NaN where it cannot be read.
 * @param {number | "self"} pid
 */
function cpuSeconds(pid) {
  if (!canReadCpu) return { own: Number.NaN, children: Number.NaN };
  const line = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the command's name in parentheses and may hold spaces; what follows it may not.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
  return {
    own: (Number(utime) + Number(stime)) / TICKS_PER_SECOND,
    children: (Number(cutime) + Number(cstime)) / TICKS_PER_SECOND,
  };
}

/**
 * How long the process's main thread was ready to run and had to wait for its core, in seconds so far: others were there.
 * @param {number} pid
 */
function waitSeconds(pid) {
  if (!canReadCpu) return Number.NaN;
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e9;
}

/**
 * Starts a measured window. The function it returns ends it.
 * @param {number} serverPid
 */
export function openWindow(serverPid) {
  const server = cpuSeconds(serverPid).own;
  const waited = waitSeconds(serverPid);
  const generator = cpuSeconds("self");
  const start = process.hrtime.bigint();
  return () => {
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const after = cpuSeconds("self");
    return {
      seconds,
      serverCpuSeconds: cpuSeconds(serverPid).own - server,
      serverWaitSeconds: waitSeconds(serverPid) - waited,
      generatorCpuSeconds: after.own + after.children - generator.own - generator.children,
    };
  };
}
