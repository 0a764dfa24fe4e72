// @ts-check
// The server under siege, in a process of its own with a small heap: an ordinary application with the default options of
// `serve`.
import { setTimeout as rest } from "node:timers/promises";
import { createChannelStore, event, openSession, pollGroup, withChannel } from "unichannel";
import { serveMeasured } from "../scripts/lib/measured-server.js";

/**
 * @typedef {object} Load
 * @property {number} lateMs the longest delay of the event loop since the last sample
 * @property {number} receivedNow bytes that clients have sent and the application has not taken
 * @property {number} receivedPeak the highest value of `receivedNow` since the start
 * @property {number} unsentPeak the highest number of unsent bytes since the start
 */
/** @typedef {import("../scripts/lib/measured-server.js").Sample & Load} Sample */

const LOOK_MS = 20;
const TICK_MS = 50;
/** The message that the application sends to channels that request it, and the interval. */
const PUSH = "x".repeat(65_536);
const PUSH_MS = 10;
/** The time of the application's asynchronous `upgrade` check. */
const CHECK_MS = 20_000;

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

/** A receiver that is busy until its client has left. @param {import("unichannel").Channel} channel */
function untilEnd({ signal }) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", resolve, { once: true });
  });
}

/** @param {import("unichannel").Channel} channel */
function echo(channel) {
  channel.onMessage((message) => void channel.send(message));
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
        (channel) => channel.onMessage((message) => void channel.send(String(message.length))),
        {
          compress: true,
        },
      );
    case "/busy":
      return withChannel(request, (channel) => channel.onMessage(() => untilEnd(channel)));
    case "/session":
      return openSession(request, { message: (message, channel) => void channel.send(message) });
    case "/busy-session":
      return openSession(request, { message: (_, channel) => untilEnd(channel) });
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
      return withChannel(request, (channel) => channel.onMessage((message) => command(channel, message)));
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

/**
 * Reads the server's own counters often, because a peak between two samples would be missed.
 * @param {import("../dist/src/index.js").Server} server
 */
function watch(server) {
  const { received, buffered } = /** @type {import("../dist/src/server/engine-server.js").EngineServer} */ (server)
    .exchanges;
  const load = { lateMs: 0, receivedNow: 0, receivedPeak: 0, unsentPeak: 0 };
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    load.lateMs = Math.max(load.lateMs, now - last - LOOK_MS);
    last = now;
    load.receivedPeak = Math.max(load.receivedPeak, received.bytes);
    load.unsentPeak = Math.max(load.unsentPeak, buffered.bytes);
  }, LOOK_MS);
  return () => {
    const found = { ...load, receivedNow: received.bytes };
    load.lateMs = 0;
    return found;
  };
}

process.on("disconnect", () => process.exit());
await serveMeasured(
  handle,
  {
    upgrade: async ({ path }) => {
      if (path === "/checked") await rest(CHECK_MS);
    },
  },
  watch,
);
