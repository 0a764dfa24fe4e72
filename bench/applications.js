// @ts-check
// `npm run bench:applications`: the application rows for minutes at a steady rate, one peer after the other. Its options: --help.
import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { exitOnSignals } from "./lib/at-exit.js";
import { canReadCpu } from "./lib/cpu.js";
import { allowedCores, machineFacts } from "./lib/machine.js";
import { disturbances, MINUTES_COLUMNS, minutesName, minutesTable } from "./lib/minutes.js";
import { mistakesIn } from "./lib/mistakes.js";
import { installPeers, missing } from "./lib/peers.js";
import { align } from "./lib/report.js";
import { RESULTS } from "./lib/results.js";
import { applications } from "./rows/applications.js";

const USAGE = `npm run bench:applications -- [ROW…] [options]

  --minutes N    length for each peer (10)
  --every N      seconds of a sample (5)
  --peers A,B    only these
  --together     all peers of a row at the same time, which is shorter: they share the server's core, and wait for one another
  --cores A,B    the server's core and the load's (the first two), as \`taskset -c\` counts
  --dry          writes no result

rows: ${applications.map(({ name }) => name).join(" ")}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "10" },
    every: { type: "string", default: "5" },
    peers: { type: "string" },
    together: { type: "boolean", default: false },
    cores: { type: "string", default: allowedCores().slice(0, 2).join(",") },
    dry: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const wrong = mistakesIn(applications, positionals, values, { minutes: values.minutes, every: values.every });
if (values.help || wrong.length > 0) {
  console.error(wrong.length > 0 ? `${wrong.join("\n")}\n\n${USAGE}` : USAGE);
  process.exit(values.help ? 0 : 2);
}
if (!canReadCpu) {
  console.error("CPU time and memory are read from /proc, which only Linux has");
  process.exit(2);
}

const minutes = Number(values.minutes);
const [serverCore = "0", loadCore = "1"] = values.cores.split(",");
const options = {
  seconds: minutes * 60,
  sampleSeconds: Number(values.every),
  warmupSeconds: 2,
  connections: 0,
  mostConnections: Number.POSITIVE_INFINITY,
  serverCore,
  loadCore,
  countsInstructions: false,
};

exitOnSignals();
installPeers();
const machine = machineFacts();
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}`);
if (machine.loadAverage > 0.5) console.log(`the machine is not quiet: load average ${machine.loadAverage.toFixed(2)}`);

const plan = applications
  .filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  .map((row) => ({ row, peers: Object.keys(row.peers).filter(isWanted) }));
const runs = plan.reduce((sum, { peers }) => sum + (values.together ? 1 : peers.length), 0);
let runsDone = 0;
let hasFailed = false;
console.log(`${plan.length} rows, about ${Math.round(runs * (minutes + 0.2))} min`);
for (const { row, peers } of plan) await runRow(row, peers);
console.log("\nthe end");
if (hasFailed) process.exitCode = 1;

/** @param {string} peer */
function isWanted(peer) {
  return missing(peer) === undefined && (values.peers === undefined || values.peers.split(",").includes(peer));
}

/** @param {import("./lib/application-row.js").ApplicationRow} row @param {readonly string[]} peers */
async function runRow(row, peers) {
  console.log(`\n${row.name}: ${row.title}`);
  for (const [peer, reason] of Object.entries(row.without ?? {})) console.log(`  without ${peer}: ${reason}`);
  /** @type {Record<string, import("./lib/minutes.js").Long>} */
  const measured = {};
  /** @type {Record<string, string>} */
  const failed = {};
  /** @param {string} peer */
  const measure = async (peer) => {
    try {
      const contender = { peer, command: row.peers[peer] ?? "" };
      measured[peer] = await row.overMinutes(contender, options, (sample) => show(row.name, peer, sample));
    } catch (error) {
      failed[peer] = error instanceof Error ? error.message : String(error);
      hasFailed = true;
      console.log(`  ${peer} has failed: ${failed[peer]}`);
    }
  };
  if (values.together) {
    await Promise.all(peers.map(measure));
    runsDone += 1;
  } else {
    for (const peer of peers) {
      await measure(peer);
      runsDone += 1;
    }
  }
  // In the order of the row, also when they have ended in another one.
  const inOrder = Object.fromEntries(peers.flatMap((peer) => (measured[peer] ? [[peer, measured[peer]]] : [])));
  console.log(align([MINUTES_COLUMNS, ...minutesTable(inOrder)]));
  for (const note of disturbances(inOrder)) console.log(`  note: ${note}`);
  if (values.dry || Object.keys(inOrder).length === 0) return;
  const file = `${machine.date.slice(0, 10)}-${minutesName(row.name)}.json`;
  const { sampleSeconds } = options;
  const result = {
    row: row.name,
    title: row.title,
    machine,
    options: { minutes, sampleSeconds },
    peers: inOrder,
    failed,
  };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(new URL(file, RESULTS), `${JSON.stringify(result, null, 1)}\n`);
  console.log(`  raw samples: bench/results/${file}`);
}

/** A line each minute, and at the end. @param {string} row @param {string} peer @param {import("./lib/row.js").Sample} sample */
function show(row, peer, { at = 0, serverCpuShare = 0, p99 = 0, rssMb = 0 }) {
  if (at % 60 >= options.sampleSeconds && at < options.seconds) return;
  const left = (runs - runsDone) * minutes - at / 60;
  const now = `CPU ${Math.round(serverCpuShare * 100)} %, p99 ${p99.toFixed(1)} ms, ${Math.round(rssMb)} MB`;
  console.log(`  ${row}, ${peer}: ${(at / 60).toFixed(1)} of ${minutes} min: ${now} (${Math.ceil(left)} min to go)`);
}
