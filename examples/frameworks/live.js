// @ts-check
// The channels of all the examples here. A framework's own lines bring a request to `live`, which serves every transport.
import { createChannelStore, openSession, pollGroup, withChannel } from "unichannel";

/** @typedef {Parameters<typeof withChannel>[0]} AnyRequest */

const store = createChannelStore();

/**
 * `/live` echoes over a WebSocket, and counts to 3 in an event stream or a plain stream; with `?as=session` it is for
 * `connect` of unichannel/client, with `?as=poll` for long polls of what is published to the group "news".
 * @param {import("unichannel").ChannelRequest} request
 */
export function live(request) {
  const as = request.query.get("as");
  if (as === "session") return openSession(request, echo);
  if (as === "poll") return pollGroup(request, store, "news");
  return withChannel(request, count);
}

/** The callbacks of a session. */
export const echo = {
  /** @param {import("unichannel").Message} message @param {import("unichannel").Channel} channel */
  message: (message, channel) => channel.send(message),
};

/** @param {import("unichannel").Channel} channel */
export function count(channel) {
  if (channel.isWebSocket) {
    channel.onMessage((message) => channel.send(message));
    return;
  }
  let count = 0;
  const timer = setInterval(() => channel.send(`${(count += 1)}\n`, count === 3), 100);
  channel.onClose(() => clearInterval(timer));
}

/** @param {string} text */
export function publish(text) {
  store.publish("news", text);
}

/**
 * The guard of all the examples: the status for a visitor who may not connect.
 * @param {string | null | undefined} user
 * @returns {401 | 403 | undefined}
 */
export function refusalOf(user) {
  if (!user) return 401;
  return user === "mallory" ? 403 : undefined;
}

/**
 * Prints where the server is, and stops it when the process is told to: first the channels, then the server.
 * @param {import("node:http").Server} server
 * @param {{ stop(): Promise<void> }} attached
 * @param {() => unknown} [close]
 */
export function run(server, attached, close = () => server.close()) {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const url = `http://127.0.0.1:${port}`;
  console.log(`Listening on ${url}. Try: curl -N "${url}/live?user=ann"`);
  process.once("SIGTERM", async () => {
    await attached.stop();
    await close();
    server.closeAllConnections();
  });
}
