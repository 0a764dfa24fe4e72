// @ts-check
// A row of seconds from the stop of one process of a service until all its sessions are back at the others: less is better.
import { cpuSecondsOf, residentBytes } from "./cpu.js";
import { startBroker, startLoad, startServer } from "./processes.js";

/** Interval at which the memory of the processes is read, in milliseconds. */
const SAMPLE_MS = 50;

/**
 * @param {Pick<import("./row.js").Row, "name" | "title" | "peers" | "targets" | "without"> & { processes: number,
 *   brokers: Readonly<Record<string, import("./processes.js").BrokerName>> }} facts `brokers`: peer → the broker of its store
 * @returns {import("./row.js").Row}
 */
export function handOverRow({ processes, brokers, ...facts }) {
  const load = "hand-over.js";
  return {
    ...facts,
    load,
    lessIsBetter: true,
    columns: [
      { key: "allBackSeconds", title: "s until all are back", digits: 2 },
      { key: "stopSeconds", title: "s of stop", digits: 2 },
      { key: "stopCpuSeconds", title: "CPU s of stop", digits: 2 },
      { key: "p50Seconds", title: "p50 s away", digits: 2 },
      { key: "p99Seconds", title: "p99 s away", digits: 2 },
      { key: "errors", title: "errors" },
      { key: "notStored", title: "not stored" },
      { key: "again", title: "came again" },
      { key: "serverCpuSeconds", title: "CPU s of all", digits: 2 },
      { key: "leaverMb", title: "MB before" },
      { key: "leaverPeakMb", title: "peak MB" },
      { key: "takerPeakMb", title: "takers' peak MB" },
      { key: "connections", title: "clients" },
    ],
    seconds: ({ connections }) => 4 + connections / 1000,
    async round({ peer, command }, { connections, serverCore, loadCore }) {
      // The goal is one of a machine: its processes, its broker and its clients share both cores.
      const core = `${serverCore},${loadCore}`;
      /** @type {{ stop(): Promise<void> }[]} */
      const started = [];
      try {
        const broker = await startBroker(brokers[peer] ?? "redis", { core });
        started.push(broker);
        const servers = [];
        for (let i = 0; i < processes; i++) {
          const place = { core, openFiles: connections };
          const server = await startServer(peer, `${command} ${broker.port}`, place);
          servers.push(server);
          started.push(server);
        }
        const ports = servers.map(({ port }) => port);
        const generator = startLoad(load, { ports, connections }, { core, openFiles: connections });
        started.push(generator);
        await generator.next(connections * 10);
        const back = generator.next(connections * 10);
        back.catch(() => {});
        return { ...(await measure(servers, back)), connections };
      } finally {
        for (const child of started.reverse()) await child.stop();
      }
    },
  };
}

/** @param {readonly Awaited<ReturnType<typeof startServer>>[]} servers the first one stops @param {Promise<any>} back */
async function measure(servers, back) {
  const pids = servers.map(({ pid }) => pid);
  const takers = pids.slice(1);
  const before = pids.map(residentMb);
  const peak = [...before];
  let leaverCpu = 0;
  const sample = () => {
    for (const [i, pid] of pids.entries()) peak[i] = Math.max(peak[i] ?? 0, residentMb(pid));
    leaverCpu = Math.max(leaverCpu, cpuOf(pids.slice(0, 1)));
  };
  const [leaverBefore, takersBefore] = [cpuOf(pids.slice(0, 1)), cpuOf(takers)];
  const timer = setInterval(sample, SAMPLE_MS);
  try {
    const stoppedAt = Date.now();
    const [stopped, { backAt, ...report }] = await Promise.all([servers[0]?.end(), back]);
    return {
      allBackSeconds: (backAt - stoppedAt) / 1000,
      ...stopped,
      ...report,
      serverCpuSeconds: leaverCpu - leaverBefore + cpuOf(takers) - takersBefore,
      leaverMb: before[0],
      leaverPeakMb: peak[0],
      takerMb: Math.max(...before.slice(1)),
      takerPeakMb: Math.max(...peak.slice(1)),
    };
  } finally {
    clearInterval(timer);
  }
}

/** 0 for a process that has ended. @param {number} pid */
function residentMb(pid) {
  try {
    return residentBytes(pid) / 1e6 || 0;
  } catch {
    return 0;
  }
}

/** 0 for a process that has ended. @param {readonly number[]} pids */
function cpuOf(pids) {
  try {
    return cpuSecondsOf(pids);
  } catch {
    return 0;
  }
}
