// @ts-check
// The server of a soak run, in a process of its own: one route for each transport. Tells its port, then a sample whenever it
// is asked; ends by itself when it was stopped and nothing is left that keeps a process.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { event, serve, withChannel } from "unichannel";

/**
 * @typedef {object} Sample
 * @property {number} rss in bytes, as the next two
 * @property {number} heap
 * @property {number} external
 * @property {number} delayP99 of the event loop since the last sample, in milliseconds
 * @property {number} delayMax
 * @property {number} cpu seconds of processor time so far
 * @property {import("unichannel").ServerStats} stats
 * @property {Record<string, number>} resources what the event loop waits for
 * @property {Record<string, number>} reports what was reported, and how often
 */

/** How finely the delay of the event loop is looked at, in milliseconds. */
const RESOLUTION_MS = 10;
const TICK_MS = 20;

/** @type {Record<string, number>} */
const reports = {};
/** The last number of each polling client. @type {Map<string, number>} */
const polls = new Map();
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();

/** @param {number} count */
function* lines(count) {
  for (let line = 1; line <= count; line++) yield `${line}\n`;
}

/** @type {import("unichannel").Handler} */
function handle(request) {
  const { path, query } = request;
  const count = Number(query.get("count") ?? 0);
  switch (path) {
    case "/echo":
    case "/deflate":
    case "/context": {
      const compress = path !== "/echo" && { contextTakeover: path === "/context", thresholdBytes: 0 };
      return withChannel(request, (channel) => channel.onReceive((message) => void channel.send(message)), {
        compress,
      });
    }
    case "/events":
      return withChannel(request, (channel) => {
        let id = 0;
        const timer = setInterval(() => void channel.send(event({ id: String(++id), data: `event ${id}` })), TICK_MS);
        channel.onClose(() => clearInterval(timer));
      });
    case "/stream":
      return withChannel(request, async (channel) => {
        for (const line of lines(count)) {
          if (!channel.send(line, false)) return;
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
        channel.close();
      });
    case "/lines":
      return { body: lines(count) };
    case "/poll":
      return withChannel(request, (channel) => {
        const client = query.get("client") ?? "";
        const timer = setTimeout(() => {
          const next = (polls.get(client) ?? 0) + 1;
          if (channel.send(String(next))) polls.set(client, next);
        }, TICK_MS);
        channel.onClose(() => clearTimeout(timer));
      });
    case "/done":
      polls.delete(query.get("client") ?? "");
      return "";
    case "/body":
      return request.bytes().then((body) => ({ body }));
    case "/parked":
      return withChannel(request, () => {});
    default:
      return { status: 404 };
  }
}

const server = await serve(handle, {
  port: 0,
  host: "127.0.0.1",
  keepAliveTimeoutMs: 5000,
  closeTimeoutMs: 2000,
  onError: (error, { source }) => {
    const what = `${source}: ${error instanceof Error ? error.message : error}`;
    reports[what] = (reports[what] ?? 0) + 1;
  },
});

/** @returns {Sample} */
function sample() {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  /** @type {Record<string, number>} */
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const found = {
    rss,
    heap: heapUsed,
    external,
    // The histogram counts the interval itself.
    delayP99: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS),
    delayMax: Math.max(0, delay.max / 1e6 - RESOLUTION_MS),
    cpu: (user + system) / 1e6,
    stats: server.stats(),
    resources,
    reports,
  };
  delay.reset();
  return found;
}

process.on("message", async (question) => {
  if (question === "stop") {
    await server.stop({ graceMs: 5000 });
    delay.disable();
    process.disconnect?.();
    return;
  }
  if (question === "settled") {
    // Twice: what finalizers let go goes with the second.
    for (let times = 0; times < 2; times++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  process.send?.(sample());
});
process.send?.(server.port);
