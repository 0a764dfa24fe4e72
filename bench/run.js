// @ts-check
// The benchmarks' command line. `npm run bench -- --help` lists the options; bench/README.md explains the method.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { exitOnSignals } from "./lib/at-exit.js";
import { canReadCpu } from "./lib/cpu.js";
import { allowedCores, machineFacts } from "./lib/machine.js";
import { mistakesIn } from "./lib/mistakes.js";
import { installPeers, missing } from "./lib/peers.js";
import { Progress } from "./lib/progress.js";
import { table } from "./lib/report.js";
import { BEFORE, isDisturbed } from "./lib/row.js";
import { rows } from "./rows/index.js";

const USAGE = `npm run bench -- [ROW…] [options]

  --full            five rounds of 3 s of every row with all its peers; rows that are named have all their peers anyway
  --rounds N        rounds of each peer, in turn (5)
  --seconds N       length of each measured window (0.5)
  --connections N   of the rows that measure memory, and of the restart (10000)
  --peers A,B       only these; the first is compared with the others
  --before DIR      only ours, and the same servers of another checkout, which is built: what a change costs
  --cores A,B       the server's core and the load's (the first two), as \`taskset -c\` counts
  --instructions    HTTP load by our own generator, whose requests \`perf\` can count, in place of wrk
  --calm            repeat a round, up to ten times, in which other work was on the server's core
  --quick           one short round of all rows and each server, to see that they run; nothing is written

rows: ${rows.map(({ name }) => name).join(" ")}
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string" },
    seconds: { type: "string" },
    connections: { type: "string" },
    peers: { type: "string" },
    before: { type: "string" },
    cores: { type: "string", default: allowedCores().slice(0, 2).join(",") },
    calm: { type: "boolean", default: false },
    instructions: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
/** One line for each round that failed; printed last, since the table of a long run hides them. @type {string[]} */
const failures = [];
/** Files of servers that `--quick` has run. @type {Set<string>} */
const tried = new Set();
const numbers = { rounds: values.rounds, seconds: values.seconds, connections: values.connections };
const wrong = mistakesIn(rows, positionals, values, numbers);
if (values.help || wrong.length > 0) {
  console.error(wrong.length > 0 ? `${wrong.join("\n")}\n\n${USAGE}` : USAGE);
  process.exit(values.help ? 0 : 2);
}

const { quick, full } = values;
/** The servers of another checkout, if the run compares with one. */
const before = values.before === undefined ? undefined : join(resolve(values.before), "bench/servers");
const [serverCore = "0", loadCore = "1"] = values.cores.split(",");
/** @type {import("./lib/row.js").Options} */
const options = {
  seconds: Number(values.seconds ?? (quick ? 0.2 : full ? 3 : 0.5)),
  warmupSeconds: quick ? 0.1 : full ? 1 : 0.6,
  connections: Number(values.connections ?? (quick ? 200 : 10_000)),
  mostConnections: quick ? 200 : Number.POSITIVE_INFINITY,
  serverCore,
  loadCore,
  countsInstructions: values.instructions,
};

exitOnSignals();
if (!quick) installPeers();
const machine = machineFacts();
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}`);
if (!canReadCpu)
  console.log("CPU time is read from /proc, which only Linux has: here only wall-clock rates are compared");
if (machine.loadAverage > 0.5) console.log(`the machine is not quiet: load average ${machine.loadAverage.toFixed(2)}`);

const plan = rows.filter(isWanted).map(planned);
const progress = new Progress(plan.map(({ row, peers, rounds }) => peers.length * rounds * row.seconds(options)));
console.log(`${plan.length} rows, about ${progress.total()}`);
for (const work of plan) {
  await runRow(work);
  progress.rowDone(work.row.name);
}
if (failures.length > 0) {
  console.error(`\nfailed:\n${failures.join("\n")}`);
  process.exitCode = 1;
}

/** @param {import("./lib/row.js").Row} row */
function isWanted(row) {
  if (positionals.length > 0) return positionals.includes(row.name);
  return full || (quick && !row.isPoint) || row.rank !== "extra";
}

/** A row, and how much of it is run. @param {import("./lib/row.js").Row} row */
function planned(row) {
  const wanted = wantedPeers(row);
  const peers = wanted.filter((peer) => missing(peer) === undefined);
  return { row, wanted, peers, rounds: Number(values.rounds ?? (quick ? 1 : 5)) };
}

/** @param {import("./lib/row.js").Row} row */
function wantedPeers({ peers, brief }) {
  const all = Object.keys(peers);
  if (before !== undefined) return [...all.slice(0, 1), BEFORE];
  if (values.peers !== undefined) return values.peers.split(",").filter((peer) => peer in peers);
  if (quick) return all.filter(isNew);
  return full || positionals.length > 0 ? all : [...(brief ?? all)];

  /** Ours in each row, and each other server once. @param {string} peer @param {number} index */
  function isNew(peer, index) {
    const [file = ""] = peers[peer]?.split(" ") ?? [];
    if (index > 0 && tried.has(file)) return false;
    tried.add(file);
    return true;
  }
}

/** @param {ReturnType<typeof planned>} work */
async function runRow({ row, wanted, peers, rounds: roundCount }) {
  console.log(`\n${row.name}: ${row.title}`);
  for (const peer of wanted) if (!peers.includes(peer)) console.log(`  without ${peer}: ${missing(peer)}`);
  for (const [peer, reason] of Object.entries(row.without ?? {})) console.log(`  without ${peer}: ${reason}`);
  if (peers.length === 0) return;
  /** @type {import("./lib/report.js").Rounds} */
  const rounds = Object.fromEntries(peers.map((peer) => [peer, []]));
  for (let round = 1; round <= roundCount; round++) {
    for (const peer of peers) {
      progress.add(row.seconds(options));
      if (rounds[peer] === undefined) continue;
      progress.show(`${row.name}, round ${round} of ${roundCount}: ${peer}`);
      const sample = await sampleOf(row, peer);
      if (sample === undefined) delete rounds[peer];
      else rounds[peer].push(sample);
    }
  }
  progress.clear();
  const [subject = ""] = peers;
  if (rounds[subject] === undefined) return console.log(`  nothing to compare with: ${subject} has failed`);
  console.log(table(row, rounds));
  if (!quick) save(row, rounds);
}

/**
 * Repeats a round that fails once. Returns undefined if it fails again: the row leaves the peer out, since a ratio needs
 * every round of both.
 * @param {import("./lib/row.js").Row} row @param {string} peer
 */
async function sampleOf(row, peer) {
  for (const consequence of ["tried once more", "left out of this row"]) {
    try {
      return await runRound(row, { peer, command: commandOf(row, peer) });
    } catch (error) {
      progress.clear();
      const reason = error instanceof Error ? error.message : error;
      console.log(`  ${peer} has failed, and is ${consequence}: ${reason}`);
      failures.push(`  ${row.name}: ${peer}: ${reason}`);
    }
  }
  return undefined;
}

/** @param {import("./lib/row.js").Row} row @param {string} peer */
function commandOf({ peers }, peer) {
  if (peer !== BEFORE) return peers[peer] ?? "";
  const [own = ""] = Object.values(peers);
  return join(before ?? "", own);
}

/** @param {import("./lib/row.js").Row} row @param {import("./lib/row.js").Contender} contender */
async function runRound(row, contender) {
  let sample = await row.round(contender, options);
  for (let tries = 1; values.calm && isDisturbed(sample) && tries < 10; tries++) {
    sample = await row.round(contender, options);
  }
  return sample;
}

/** @param {import("./lib/row.js").Row} row @param {import("./lib/report.js").Rounds} rounds */
function save(row, rounds) {
  const folder = new URL("results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = `${machine.date.slice(0, 10)}-${row.name}${before === undefined ? "" : "-before"}.json`;
  const result = { row: row.name, title: row.title, load: row.load, machine, options, rounds };
  writeFileSync(new URL(file, folder), `${JSON.stringify(result, null, 2)}\n`);
  console.log(`  raw rounds: bench/results/${file}`);
}
