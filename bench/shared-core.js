// @ts-check
// The cost of two processes that share one core, without anything between them: one server with 1,000 members, and two servers
// with 500 each, both on the same core, with a message at a time to all members of each. The rows `processes-…` have this cost,
// too; two processes on cores of their own do not. `node bench/shared-core.js [--rounds N] [--seconds N]`, after a build.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { exitOnSignals } from "./lib/at-exit.js";
import { allowedCores, machineFacts } from "./lib/machine.js";
import { startLoad, startServer } from "./lib/processes.js";
import { RESULTS } from "./lib/results.js";
import { ratios, summary } from "./lib/stats.js";

const MEMBERS = 1000;

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "3" } },
});
const [serverCore = "0", loadCore = "1"] = allowedCores().map(String);
exitOnSignals();

/** Deliveries for each second of CPU of all servers. @param {number} count of servers */
async function deliveries(count) {
  const connections = MEMBERS / count;
  const started = [];
  try {
    const reports = [];
    for (let i = 0; i < count; i++) {
      const place = { core: serverCore, openFiles: connections };
      const server = await startServer("unichannel", "processes-unichannel.js publish 0", place);
      started.push(server);
    }
    for (const { port, pid } of [...started]) {
      const config = { connections, inFlight: 1, port, ports: [port], serverPids: [pid] };
      const load = startLoad(
        "cluster.js",
        { ...config, seconds: Number(values.seconds), warmupSeconds: 1 },
        { core: loadCore, openFiles: connections },
      );
      started.push(load);
      reports.push(load.next(Number(values.seconds) * 1000));
    }
    let operations = 0;
    let cpuSeconds = 0;
    for (const report of await Promise.all(reports)) {
      operations += report.operations * connections;
      cpuSeconds += report.serverCpuSeconds;
    }
    return operations / cpuSeconds;
  } finally {
    for (const child of started.reverse()) await child.stop();
  }
}

/** @type {{ one: number[], two: number[] }} */
const rounds = { one: [], two: [] };
for (let round = 0; round < Number(values.rounds); round++) {
  rounds.one.push(await deliveries(1));
  rounds.two.push(await deliveries(2));
}
const { median, min, max } = ratios(rounds.two, rounds.one);
for (const [name, found] of Object.entries(rounds)) {
  console.log(`${name}: ${Math.round(summary(found).median).toLocaleString("en")} deliveries for each second of CPU`);
}
console.log(
  `two servers that share nothing but a core: ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)}) of one`,
);
const machine = machineFacts();
const file = `${machine.date.slice(0, 10)}-shared-core.json`;
writeFileSync(new URL(file, RESULTS), `${JSON.stringify({ machine, options: values, rounds }, undefined, 1)}\n`);
console.log(`bench/results/${file}`);
