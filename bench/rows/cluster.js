// @ts-check
// Several processes behind a broker: what a user pays for outgrowing one machine.
import { cpuSecondsOf } from "../lib/cpu.js";
import { hasCommand } from "../lib/machine.js";
import { startLoad, startRedis, startServer } from "../lib/processes.js";

const PROCESSES = 2;
const MEMBERS = 50;

/** @param {string} name @param {string} title @param {number} inFlight @returns {import("../lib/row.js").Row} */
function row(name, title, inFlight) {
  return {
    name,
    title,
    peers: { unichannel: "cluster-unichannel.js", "Socket.IO": "cluster-socketio.js" },
    targets: {},
    load: "cluster.js",
    columns: [
      { key: "perCpuSecond", title: "messages per CPU-second of both" },
      { key: "perSecond", title: "per second" },
      { key: "p50", title: "p50 ms", digits: 2 },
      { key: "p99", title: "p99 ms", digits: 2 },
    ],
    async round({ peer, command }, { seconds, warmupSeconds, serverCore, loadCore }) {
      const redis = await startRedis({ core: loadCore });
      const servers = [];
      try {
        for (let i = 0; i < PROCESSES; i++) {
          servers.push(await startServer(peer, `${command} ${redis.port}`, { core: serverCore }));
        }
        const config = {
          ...{ ports: servers.map(({ port }) => port), members: MEMBERS, inFlight, seconds, warmupSeconds },
          socketIo: peer === "Socket.IO",
        };
        const pids = servers.map(({ pid }) => pid);
        const generator = startLoad("cluster.js", config, { core: loadCore });
        try {
          const before = cpuSecondsOf(pids);
          const report = await generator.next((seconds + warmupSeconds) * 1000);
          // Of the whole run, the warm-up too: it is the same work.
          const cpuSeconds = cpuSecondsOf(pids) - before;
          return { ...report, perCpuSecond: (report.perSecond * (seconds + warmupSeconds)) / cpuSeconds, cpuSeconds };
        } finally {
          await generator.stop();
        }
      } finally {
        for (const server of servers) await server.stop();
        await redis.stop();
      }
    },
  };
}

export const cluster = hasCommand("redis-server")
  ? [
      row("redis-2", `messages of 128 bytes to ${PROCESSES} × ${MEMBERS} members over Redis, one at a time`, 1),
      row("redis-2-16", "the same with 16 on their way", 16),
    ]
  : [];
