// @ts-check
// The server of a soak run, in a separate process: one route for each transport. The process ends by itself when the server
// has stopped and nothing keeps it alive.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { event, withChannel } from "unichannel";
import { serveMeasured } from "../scripts/lib/measured-server.js";

/**
 * @typedef {object} Loop
 * @property {number} delayP99 delay of the event loop since the last sample, in milliseconds
 * @property {number} delayMax
 * @property {Record<string, number>} resources the active resources of the event loop
 */
/** @typedef {import("../scripts/lib/measured-server.js").Sample & Loop} Sample */

/** Resolution of the measured delay of the event loop. */
const RESOLUTION_MS = 10;
const TICK_MS = 20;

/** The last number of each polling client. @type {Map<string, number>} */
const polls = new Map();

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
      return withChannel(request, (channel) => channel.onMessage((message) => void channel.send(message)), {
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

function watchLoop() {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  return () => {
    /** @type {Record<string, number>} */
    const resources = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    // The histogram counts the interval itself.
    const delayP99 = Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION_MS);
    const delayMax = Math.max(0, delay.max / 1e6 - RESOLUTION_MS);
    delay.reset();
    return { delayP99, delayMax, resources };
  };
}

await serveMeasured(handle, { keepAliveTimeoutMs: 5000, closeTimeoutMs: 2000 }, watchLoop);
