// @ts-check
// The server under siege, in a process of its own with a small heap: an ordinary application with the default options of
// `serve`. Tells its port, then a sample whenever it is asked.
import { setTimeout as rest } from "node:timers/promises";
import { createChannelStore, event, openSession, pollGroup, serve, withChannel } from "unichannel";

/**
 * @typedef {object} Sample
 * @property {number} rss in bytes, as the next two
 * @property {number} heap
 * @property {number} external
 * @property {number} peakRss the most that the process has ever taken
 * @property {number} cpu seconds of processor time so far
 * @property {number} lateMs the longest that the event loop was late since the last sample
 * @property {number} receivedNow what clients have sent and nobody has taken, in bytes
 * @property {number} receivedPeak the most that clients had sent and nobody had taken, in bytes, since the start
 * @property {number} unsentPeak the most that was unsent, in the same way
 * @property {import("unichannel").ServerStats} stats
 * @property {Record<string, number>} reports what was reported, and how often
 */

const LOOK_MS = 20;
const TICK_MS = 50;
/** The message that the application pushes to channels that ask for it, and the interval. */
const PUSH = "x".repeat(65_536);
const PUSH_MS = 10;
/** How long the application takes to say who may open a WebSocket. */
const CHECK_MS = 20_000;

/** @type {Record<string, number>} */
const reports = {};
const store = createChannelStore();

/** @param {import("unichannel").Channel} channel @param {unknown} data */
function command(channel, data) {
  const [verb = "", group = "", text = ""] = String(data).split(" ", 3);
  if (verb === "join") store.addToGroup(group, channel);
  else if (verb === "leave") store.removeFromGroup(group, channel);
  else if (verb === "publish") void store.publish(group, text);
}

/** @param {import("unichannel").Channel} channel @param {() => import("unichannel").SendData} next @param {number} ms */
function push(channel, next, ms) {
  const timer = setInterval(() => void channel.send(next(), false), ms);
  channel.onClose(() => clearInterval(timer));
}

/** A receiver that is busy for as long as its client is there. @param {import("unichannel").Channel} channel */
function untilEnd({ signal }) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", resolve, { once: true });
  });
}

/** @param {import("unichannel").Channel} channel */
function echo(channel) {
  channel.onReceive((message) => void channel.send(message));
}

/** @type {import("unichannel").Handler} */
function handle(request) {
  const { path, query } = request;
  switch (path) {
    case "/hello":
      return "hello";
    case "/echo":
      return withChannel(request, echo);
    case "/deflate":
      return withChannel(
        request,
        (channel) => channel.onReceive((message) => void channel.send(String(message.length))),
        {
          compress: true,
        },
      );
    case "/busy":
      return withChannel(request, (channel) => channel.onReceive(() => untilEnd(channel)));
    case "/session":
      return openSession(request, { receive: (message, channel) => void channel.send(message) });
    case "/busy-session":
      return openSession(request, { receive: (_, channel) => untilEnd(channel) });
    case "/push-session":
      return openSession(request, { open: (channel) => push(channel, () => PUSH.slice(0, -1) + "y", PUSH_MS) });
    case "/push":
      return withChannel(request, (channel) => push(channel, () => PUSH, PUSH_MS));
    case "/ticks":
      return withChannel(request, (channel) => {
        let tick = 0;
        push(channel, () => event({ id: String(++tick), data: String(tick) }), TICK_MS);
      });
    case "/room":
      return withChannel(request, (channel) => channel.onReceive((message) => command(channel, message)));
    case "/events": {
      const since = request.headers.get("last-event-id");
      return withChannel(request, (channel) =>
        store.addToGroup(query.get("group") ?? "g", channel, undefined, { since }),
      );
    }
    case "/poll":
      return pollGroup(request, store, query.get("group") ?? "g");
    case "/big":
      return { body: Buffer.alloc(1 << 20, "b") };
    case "/upload":
      return request.bytes().then((bytes) => String(bytes.length));
    case "/parked":
      return withChannel(request, () => {});
    default:
      return { status: 404 };
  }
}

const server = await serve(handle, {
  port: 0,
  host: "127.0.0.1",
  upgrade: async (request) => {
    if (request.path === "/checked") await rest(CHECK_MS);
  },
  onError: (error, { source }) => {
    const what = `${source}: ${error instanceof Error ? error.message : error}`.slice(0, 200);
    if (what in reports || Object.keys(reports).length < 50) reports[what] = (reports[what] ?? 0) + 1;
  },
});

const { received, budget } = /** @type {{ received: { bytes: number }, budget: { bytes: number } }} */ (
  /** @type {unknown} */ (server)
);
let receivedPeak = 0;
let unsentPeak = 0;
let lateMs = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  lateMs = Math.max(lateMs, now - last - LOOK_MS);
  last = now;
  receivedPeak = Math.max(receivedPeak, received.bytes);
  unsentPeak = Math.max(unsentPeak, budget.bytes);
}, LOOK_MS);

/** @returns {Sample} */
function sample() {
  const { rss, heapUsed, external } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const found = {
    rss,
    heap: heapUsed,
    external,
    peakRss: process.resourceUsage().maxRSS * 1024,
    cpu: (user + system) / 1e6,
    lateMs,
    receivedPeak,
    receivedNow: received.bytes,
    unsentPeak,
    stats: server.stats(),
    reports,
  };
  lateMs = 0;
  return found;
}

process.on("message", async (question) => {
  if (question === "settled") {
    // Twice: what finalizers let go goes with the second.
    for (let times = 0; times < 2; times++) {
      globalThis.gc?.();
      await rest(50);
    }
  }
  process.send?.(sample());
});
process.on("disconnect", () => process.exit());
process.send?.(server.port);
