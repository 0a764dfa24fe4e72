// @ts-check
// The table and the curves of a run of `npm run bench:scale`, for its end and for bench/results/README.md.
import { number } from "../lib/results.js";
import { summary } from "../lib/stats.js";

/** @typedef {import("./measure.js").ScaleResult} ScaleResult */
/** @typedef {ScaleResult["stages"][number]} Stage */
/** @typedef {Stage["messages"][number]} Message */

/** A curve, as lib/curves.js draws it. @typedef {{ name: string, title: string, note: string, unit: string, xUnit: string, digits: number, lines: import("../lib/curves.js").Line[] }} Curve */

/** Curves of memory begin here: below, a process without connections is most of it. */
const LEAST_CONNECTIONS = 1000;

/** The four growth curves. @param {ScaleResult} result @returns {Curve[]} */
export function scaleCurves({ stages, before, simulated, groups, groupsOverRedis, sessions }) {
  const many = stages.filter(({ connections }) => connections >= LEAST_CONNECTIONS);
  return [
    {
      name: "scale-delivery",
      title: "each delivery, one message at a time to all",
      note: "`unichannel`: over sockets; from 20,000 members on in several processes. `no sockets`: its own part of a delivery, in one process whose streams accept all bytes at once.",
      unit: "µs of server CPU",
      xUnit: "members",
      digits: 2,
      lines: [
        line("unichannel", stages, (stage) => [stage.connections, deliveryMicros(stage.messages)]),
        line("no sockets", simulated, ({ members, cpuMicrosEach }) => [members, cpuMicrosEach]),
      ],
    },
    {
      name: "scale-memory",
      title: "members of one group, in many processes",
      note: "`unichannel`: the resident size of the servers, with the 0.1 GB that each has before its first client. `kernel`: the caches of sockets, both ends.",
      unit: "kB for each connection",
      xUnit: "connections",
      digits: 1,
      lines: [
        line("unichannel", many, ({ connections, serverRss }) => [connections, serverRss / 1000 / connections]),
        line("its heap", many, ({ connections, serverHeap }) => [connections, serverHeap / 1000 / connections]),
        line("kernel", many, ({ connections, kernel }) => [
          connections,
          (Number(kernel.sockets) - Number(before.sockets)) / 1000 / connections,
        ]),
      ],
    },
    {
      name: "scale-groups",
      title: "from publish to the one member of a group, median",
      note: "One process, whose groups are its own or go through Redis. A process names all its groups to Redis after each reply.",
      unit: "ms",
      xUnit: "groups",
      digits: 2,
      lines: [
        line("unichannel", groups, (point) => [point.groups, point.p50Ms]),
        line("over Redis", groupsOverRedis, (point) => [point.groups, point.p50Ms]),
      ],
    },
    {
      name: "scale-reconnect",
      title: "sessions of a server that stops gracefully",
      note: "The server tells its clients to come back within five seconds, at times of their own.",
      unit: "seconds until all are back",
      xUnit: "sessions",
      digits: 1,
      lines: [line("unichannel", sessions, (point) => [point.sessions, point.allBackSeconds])],
    },
  ].filter(({ lines }) => Number(lines[0]?.points.length) > 1);
}

/** The measurements with all connections. @param {ScaleResult} result */
export function scaleTable(result) {
  const { connections, servers, share, stages, before, idle, light, killed, publishedAfter, faults } = result;
  const full = stages[stages.length - 1];
  if (full === undefined) throw new Error("nothing was measured");
  const opened = stages.reduce((sum, stage) => sum + stage.opened, 0);
  const openingSeconds = stages.reduce((sum, stage) => sum + stage.seconds, 0);
  const openingMicros = micros(
    stages.reduce((sum, stage) => sum + stage.serverCpuSeconds, 0),
    opened,
  );
  const { kernel } = full;
  const sockets = (kernel.tcpSockets - before.tcpSockets) / connections;
  const message = (/** @type {"firstMs" | "halfMs" | "p99Ms" | "allMs"} */ key) =>
    number(summary(full.messages.map((one) => one[key])).median);
  const idleMicros = micros(idle.serverCpuSeconds / idle.seconds, idle.connections);
  const lightMicros = micros(light.serverCpuSeconds / light.seconds, light.connections);
  return [
    "| | measured |",
    "| --- | --- |",
    `| connections | ${number(connections)}, at most ${number(share)} in each of ${servers} processes, all members of one group over one Redis |`,
    `| opened | ${number(opened / openingSeconds)} in a second; ${number(openingMicros)} µs of server CPU each |`,
    `| memory of the servers | ${kb(full.serverRss / connections)} for each connection, with the processes themselves; ` +
      `${kb((full.serverRss - full.serverBaseRss) / (connections - full.warmConnections))} more for each than with the first ${number(full.warmConnections / servers)} of each process, ` +
      `${kb((full.serverHeap - full.serverBaseHeap) / (connections - full.warmConnections))} of it the heap |`,
    `| memory of the kernel | ${kb((kernel.slab - before.slab) / connections)} for each connection, which is ${number(sockets, 1)} sockets: both ends are on this machine |`,
    `| memory of the clients | ${kb(full.clientRss / connections)} for each connection, with their processes |`,
    `| silent for ${number(idle.seconds)} s, ${number(idle.pings)} pings and pongs | ${number(idleMicros, 2)} µs of server CPU for each connection in a second: ${number(idleMicros, 1)} % of a core for 10,000 |`,
    `| each sends a message in ${number(result.intervalSeconds)} s and gets it back, ${number(light.sent)} messages in ${number(light.seconds)} s | ` +
      `${number(lightMicros, 2)} µs of server CPU for each connection in a second; p50 ${number(light.p50Ms, 2)} ms, p99 ${number(light.p99Ms, 1)} ms; ${number(light.sent - light.answered)} without an answer |`,
    `| one message to all | the first has it after ${message("firstMs")} ms, half after ${message("halfMs")} ms, 99 % after ${message("p99Ms")} ms, all after ${message("allMs")} ms; ` +
      `${number(deliveryMicros(full.messages), 1)} µs of server CPU for each delivery |`,
    `| one process killed with \`kill -9\` | its ${number(killed.lost)} clients are all back at the other ${killed.others} after ${number(killed.allBackSeconds, 1)} s (half after ${number(killed.p50Seconds, 1)} s, ` +
      `99 % after ${number(killed.p99Seconds, 1)} s); ${number(killed.failedAttempts)} attempts failed, and a backlog was full ${number(killed.backlogOverflows)} times |`,
    `| one message to all after that | has reached ${number(publishedAfter.deliveries)}${faults.repeated === 0 ? ", each once" : ""}; all after ${number(publishedAfter.allMs)} ms |`,
    `| faults in the whole run | ${number(faults.lost - killed.lost)} other connections lost, ${number(faults.repeated)} messages twice |`,
  ].join("\n");
}

/** A table for each curve. @param {Curve} curve */
export function curveTable({ xUnit, digits, lines }) {
  const xs = [...new Set(lines.flatMap(({ points }) => points.map(({ x }) => x)))].sort((a, b) => a - b);
  return [
    `| ${xUnit} | ${lines.map(({ name }) => name).join(" | ")} |`,
    `| ---: |${" ---: |".repeat(lines.length)}`,
    ...xs.map((x) => {
      const ys = lines.map(({ points }) => points.find((point) => point.x === x)?.y);
      return `| ${[number(x), ...ys.map((y) => (y === undefined ? "" : number(y, digits)))].join(" | ")} |`;
    }),
  ].join("\n");
}

/**
 * Server CPU for each delivery. What pings cost meanwhile is included: they are counted in the raw result.
 * @param {readonly Message[]} messages
 */
function deliveryMicros(messages) {
  const sum = (/** @type {"serverCpuSeconds" | "deliveries"} */ key) =>
    messages.reduce((total, one) => total + one[key], 0);
  return micros(sum("serverCpuSeconds"), sum("deliveries"));
}

/** @template T @param {string} name @param {readonly T[]} points @param {(point: T) => [x: number, y: number | undefined]} toPoint @returns {import("../lib/curves.js").Line} */
function line(name, points, toPoint) {
  return {
    name,
    points: points.flatMap((point) => {
      const [x, y] = toPoint(point);
      // A scale that is logarithmic has no zero, and a number that is missing no place.
      return y !== undefined && y > 0 ? [{ x, y }] : [];
    }),
  };
}

/** @param {number} seconds @param {number} count */
function micros(seconds, count) {
  return (seconds * 1e6) / count;
}

/** @param {number} bytes */
function kb(bytes) {
  return `${number(bytes / 1000, 1)} kB`;
}
