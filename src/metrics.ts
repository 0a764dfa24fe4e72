// `unichannel/metrics`: the counters of servers, as metrics of prom-client. No code runs between two scrapes: a scrape reads
// `server.stats()`, which keeps plain numbers. Names follow https://prometheus.io/docs/practices/naming/ and OpenMetrics.

import { Counter, Gauge, register as globalRegister, type Registry, type RegistryContentType } from "prom-client";
import { badOption, badValue, checkMethods, checkOptions, isPlain, type ValueCheck } from "./base/option-values.ts";
import type { ServerStats } from "./server/counts.ts";

/** The options of `collectMetrics`. */
export interface MetricsOptions {
  /** The registry of the metrics. @default prom-client's own global `register` */
  readonly register?: Registry<RegistryContentType> | undefined;
  /** The beginning of each name. @default "unichannel_" */
  readonly prefix?: string | undefined;
  /** Labels on each metric of this server, to tell several servers of one process apart. @default none */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

type Labels = Readonly<Record<string, string>>;
/** A number, or numbers by the values of a label, or of two. */
type Counts = number | Readonly<Record<string, number>> | Readonly<Record<string, Readonly<Record<string, number>>>>;

type Definition = readonly [
  type: "gauge" | "counter",
  name: string,
  help: string,
  read: (stats: ServerStats) => Counts,
  ...labelNames: readonly string[],
];

interface Source {
  readonly server: { stats(): ServerStats };
  readonly labels: Labels;
}

const DEFINITIONS: readonly Definition[] = [
  ["gauge", "connections", "Open connections", (stats) => stats.connections],
  ["counter", "connections_total", "Connections opened", (stats) => stats.connectionsOpened],
  ["counter", "connections_refused_total", "Connections sent away", (stats) => stats.connectionsRefused],
  ["counter", "requests_total", "Requests that were served", (stats) => stats.requests],
  ["counter", "responses_total", "Responses that have ended, by class of status", (stats) => stats.responses, "status"],
  ["gauge", "channels", "Open channels", (stats) => stats.channels, "transport"],
  [
    "counter",
    "channels_closed_total",
    "Channels that have ended",
    (stats) => stats.channelsClosed,
    "transport",
    "name",
  ],
  ["counter", "messages_received_total", "Messages from clients", (stats) => stats.messagesReceived],
  ["counter", "messages_sent_total", "Sends that channels took", (stats) => stats.messagesSent],
  ["counter", "received_bytes_total", "Bytes that came in on connections", (stats) => stats.bytesReceived],
  ["counter", "sent_bytes_total", "Bytes that went out on connections", (stats) => stats.bytesSent],
  ["gauge", "buffered_bytes", "Bytes sent that clients have not taken", (stats) => stats.bufferedBytes],
  ["counter", "overflows_total", "Sends that found their channel full", (stats) => stats.overflows, "policy"],
  ["counter", "rate_exceeded_total", "Messages over a rate", (stats) => stats.rateExceeded, "policy"],
  ["counter", "expired_total", "Channels closed because their client's identity ended", (stats) => stats.expired],
  ["gauge", "sessions", "Open sessions", (stats) => stats.sessions.open],
  ["gauge", "relays", "Requests on their way through another process", (stats) => stats.sessions.relaysOpen],
  ["counter", "relayed_total", "Requests passed on to another process", (stats) => stats.sessions.relayed],
  ["counter", "sessions_stored_total", "Sessions put into the store", (stats) => stats.sessions.stored],
  ["counter", "sessions_not_stored_total", "Sessions that ended at a stop", (stats) => stats.sessions.notStored],
  ["counter", "sessions_taken_total", "Sessions taken from the store", (stats) => stats.sessions.taken],
  ["counter", "sessions_lost_total", "Sessions that clients asked for in vain", (stats) => stats.sessions.lost],
  ["counter", "errors_total", "Errors that were reported", (stats) => stats.errors, "source", "code"],
];

/** The servers whose numbers a registry's metrics show, by prefix. */
const SOURCES = new WeakMap<Registry<RegistryContentType>, Map<string, Source[]>>();

/**
 * Adds a server to a prom-client registry; a function comes back that takes it out again. Several servers may share a
 * registry: their labels have the same names then, and where they have the same values the numbers are summed.
 * Throws BAD_OPTION for labels that do not go together, and prom-client's own error for a name that is taken.
 */
export function collectMetrics(server: Source["server"], options: MetricsOptions = {}): () => void {
  checkServer("the first argument of collectMetrics", server);
  checkOptions("collectMetrics", options, OPTIONS);
  const { register = globalRegister, prefix = "unichannel_", labels = {} } = options;
  let prefixes = SOURCES.get(register);
  if (prefixes === undefined) SOURCES.set(register, (prefixes = new Map()));
  let sources = prefixes.get(prefix);
  // Also when the application has cleared the registry.
  if (sources === undefined || register.getSingleMetric(`${prefix}connections`) === undefined) {
    sources = [];
    define(register, prefix, Object.keys(labels), sources);
    prefixes.set(prefix, sources);
  }
  checkLabels(labels, sources[0]?.labels ?? labels);
  const source = { server, labels };
  sources.push(source);
  return () => {
    const index = sources.indexOf(source);
    if (index >= 0) sources.splice(index, 1);
  };
}

function define(
  register: Registry<RegistryContentType>,
  prefix: string,
  labelNames: readonly string[],
  sources: readonly Source[],
): void {
  // A name that is taken comes first: prom-client refuses it, and none of the others is registered then.
  const isTaken = ([, name]: Definition): boolean => register.getSingleMetric(prefix + name) !== undefined;
  const definitions = [...DEFINITIONS].sort((a, b) => Number(isTaken(b)) - Number(isTaken(a)));
  for (const [type, name, help, read, ...ownNames] of definitions) {
    const config = {
      name: prefix + name,
      help,
      labelNames: [...ownNames, ...labelNames],
      registers: [register as Registry],
      collect(this: Counter | Gauge): void {
        // The server keeps the counts, so the metric is set, not added to.
        this.reset();
        for (const { server, labels } of sources) {
          for (const [own, value] of samplesOf(read(statsOf(server)), ownNames)) {
            this.inc({ ...own, ...labels }, value);
          }
        }
      },
    };
    if (type === "counter") new Counter(config);
    else new Gauge(config);
  }
}

function checkLabels(labels: Labels, first: Labels): void {
  const [names, expected] = [labels, first].map((each) => Object.keys(each).sort().join(", "));
  if (names === expected) return;
  throw badOption(`labels are "${names}", those of another server in this registry "${expected}"`);
}

const checkServer = checkMethods("a server of serve", ["stats"]);

/** https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels; the prefix may be empty. */
const OPTIONS: Readonly<Record<keyof MetricsOptions, ValueCheck>> = {
  register: checkMethods("a Registry of prom-client", ["getSingleMetric", "registerMetric"]),
  prefix(name, value) {
    if (typeof value === "string" && /^(?:[a-zA-Z_:][\w:]*)?$/.test(value)) return;
    throw badValue(name, value, "a string that a metric's name may begin with: letters, digits, _ and :");
  },
  labels(name, value) {
    if (!isPlain(value)) throw badValue(name, value, "an object of labels and their values");
    for (const [label, text] of Object.entries(value)) {
      if (!/^[a-zA-Z_]\w*$/.test(label)) throw badValue(`a name in ${name}`, label, "letters, digits and _");
      if (OWN_LABELS.has(label))
        throw badOption(`${name} has ${label}, which is a label of our own; take another name`);
      if (typeof text !== "string" && typeof text !== "number") throw badValue(`${name}.${label}`, text, "a string");
    }
  },
};

const OWN_LABELS: ReadonlySet<string> = new Set(DEFINITIONS.flatMap(([, , , , ...labelNames]) => labelNames));

const SNAPSHOTS = new Map<Source["server"], ServerStats>();

/** The numbers are read once for all metrics of a scrape: prom-client collects them in one turn. */
function statsOf(server: Source["server"]): ServerStats {
  const seen = SNAPSHOTS.get(server);
  if (seen !== undefined) return seen;
  const stats = server.stats();
  if (SNAPSHOTS.size === 0) queueMicrotask(() => SNAPSHOTS.clear());
  SNAPSHOTS.set(server, stats);
  return stats;
}

function samplesOf(counts: Counts, [name, ...names]: readonly string[]): [labels: Labels, value: number][] {
  if (typeof counts === "number") return [[{}, counts]];
  return Object.entries(counts).flatMap(([value, inner]) =>
    samplesOf(inner, names).map(([labels, count]): [Labels, number] => [{ [name!]: value, ...labels }, count]),
  );
}
