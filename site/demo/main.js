// The demo of the home page: the server of the page's first example and its client, both the real ones, in one page. Between them is the
// network of unichannel/testing, which the steps of the tour cut and block. A deploy starts a second server and stops the first, which
// puts its sessions into a session store. Time passes as fast as on the clock.
import { createChannelStore, memorySessions, openSession } from "../../dist/src/index.js";
import { testServer } from "../../dist/src/testing/index.js";
import { startServer } from "./servers.js";

/** Steps of the clock, and the time between two messages of the server. */
const STEP_MS = 50;
const TICK_MS = 600;
/** How long the network is cut, and how long WebSocket stays blocked once something else carries the messages. */
const AWAY_MS = 3000;
/** Numbers that are kept for the page, which may stay open for hours. */
const MAX_RECENT = 200;
const HISTORY = { size: 500, ttlMs: 60_000 };

const NAMES = { websocket: "WebSocket", sse: "an event stream", poll: "long polls" };

/**
 * @typedef {object} View
 * @property {"websocket" | "sse" | "poll" | undefined} transport how the client is connected; undefined: it is not
 * @property {number} server the number of the server that has the session
 * @property {number} sent the server's messages so far
 * @property {number} received those that have arrived, each once
 * @property {{ number: number, transport: string }[]} recent the last of them, in their order
 * @property {number} lost numbers that were left out
 * @property {number} twice numbers that had arrived before
 */

/** @param {(view: View) => void} show called whenever something has changed */
export async function startDemo(show) {
  /** @type {View} */
  const view = { transport: undefined, server: 1, sent: 0, received: 0, recent: [], lost: 0, twice: 0 };
  const app = testServer(() => undefined);
  const store = createChannelStore({ clock: app.clock, history: HISTORY });
  const records = memorySessions({ clock: app.clock });
  const handlerOf = (/** @type {number} */ server) => (/** @type {any} */ request) =>
    openSession(request, {
      open: (channel) => void store.addToGroup("news", channel),
      // In place of `open`, where the session has come from another server.
      restored: () => {
        view.server = server;
      },
    });
  const start = (/** @type {number} */ server) =>
    startServer(handlerOf(server), { app, sessions: records.share(), stores: { news: store } });

  let current = await start(view.server);
  await app.server.stop();
  current.listen();
  const connection = app.connect("/news", { backoff: { firstMs: 300, capMs: 1000 } });
  let last = 0;
  connection.onMessage((text) => {
    const number = Number(text);
    if (number > last + 1) view.lost += number - last - 1;
    if (number <= last) {
      view.twice += 1;
      return;
    }
    last = number;
    view.received += 1;
    view.recent.push({ number, transport: connection.transport ?? "none" });
    if (view.recent.length > MAX_RECENT) view.recent.shift();
  });

  let isStopped = false;
  let nextTickAt = app.clock.now();
  let before = performance.now();
  async function run() {
    while (!isStopped) {
      await sleep(STEP_MS);
      const now = performance.now();
      // A hidden tab sleeps: what passed meanwhile is not caught up.
      await app.advance(Math.round(Math.min(now - before, 500)));
      before = now;
      if (app.clock.now() >= nextTickAt) {
        nextTickAt = app.clock.now() + TICK_MS;
        view.sent += 1;
        void store.publish("news", String(view.sent));
        await app.settle();
      }
      view.transport = connection.state === "open" ? connection.transport : undefined;
      show(view);
    }
  }
  void run();

  const until = async (/** @type {() => boolean} */ isSo) => {
    while (!isSo() && !isStopped) await sleep(STEP_MS);
  };
  /** Sent, and neither received nor known to be lost. */
  const waiting = () => view.sent - last;
  /** The messages that wait at the server until the client is back. */
  const backWith = async (/** @type {() => boolean} */ isBack) => {
    let waited = 0;
    await until(() => {
      if (!isBack()) waited = Math.max(waited, waiting());
      return isBack() && waiting() === 0;
    });
    return waited;
  };
  const isOn = (/** @type {string} */ transport) => view.transport === transport;

  return {
    /** The steps of the tour. Each resolves with a sentence of what happened. */
    steps: {
      /** Breaks every connection, and lets no new one be made for a while. */
      async cut() {
        const { lost } = view;
        app.network.offline();
        await sleep(AWAY_MS);
        const waited = waiting();
        app.network.online();
        await backWith(() => view.transport !== undefined);
        return `The network was away for ${AWAY_MS / 1000} seconds. ${waitedAndArrived(waited, view.lost - lost)}`;
      },
      /** Lets WebSocket through no more for a while, like a proxy that does not know it. */
      async block() {
        const { lost } = view;
        app.network.block("websocket");
        app.network.cut();
        await until(() => view.transport === undefined);
        const waited = await backWith(() => view.transport !== undefined && !isOn("websocket"));
        const carrier = NAMES[view.transport ?? "sse"];
        await sleep(AWAY_MS);
        app.network.unblock();
        return `The session went on over ${carrier}. ${waitedAndArrived(waited, view.lost - lost)}`;
      },
      /** Starts another server, and stops the one that has the session. */
      async deploy() {
        const { lost } = view;
        const number = view.server + 1;
        const next = await start(number);
        await current.stop();
        next.listen();
        current = next;
        const waited = await backWith(() => view.server === number && view.transport !== undefined);
        return `Server ${number - 1} was stopped, and the session went on at server ${number}. ${waitedAndArrived(waited, view.lost - lost)}`;
      },
    },
    stop() {
      isStopped = true;
    },
  };
}

/** @param {number} waited @param {number} lost */
function waitedAndArrived(waited, lost) {
  if (waited === 0) return "No message had to wait.";
  const arrived = lost > 0 ? `, and ${lost} did not arrive` : waited === 1 ? ", and arrived" : ", and all arrived";
  return `${waited} ${waited === 1 ? "message" : "messages"} waited${arrived}.`;
}

/** @param {number} ms */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
