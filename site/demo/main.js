// The demo of the home page: the server of the page's first example and its client, both the real ones, in one page. Between them is the
// network of unichannel/testing, which the page cuts, blocks and restarts. Time passes as fast as on the clock.
import { createChannelStore, openSession } from "../../dist/src/index.js";
import { testServer } from "../../dist/src/testing/index.js";

/** Steps of the clock, and the time between two messages of the server. */
const STEP_MS = 50;
const TICK_MS = 600;

/**
 * @typedef {object} View
 * @property {"websocket" | "sse" | "poll" | undefined} transport how the client is connected; undefined: it is not
 * @property {number} sent the server's messages so far
 * @property {number[]} received the numbers of those that have arrived, in their order
 * @property {boolean} isOffline
 * @property {boolean} isBlocked
 */

/** @param {(view: View) => void} show called whenever something has changed */
export function startDemo(show) {
  const store = createChannelStore();
  const app = testServer((request) =>
    openSession(request, { open: (channel) => void store.addToGroup("news", channel) }),
  );
  /** @type {View} */
  const view = { transport: undefined, sent: 0, received: [], isOffline: false, isBlocked: false };
  const connection = app.connect("/news", { backoff: { firstMs: 300, capMs: 1000 } });
  connection.onMessage((text) => {
    view.received.push(Number(text));
  });

  let isStopped = false;
  let nextTickAt = app.clock.now() + TICK_MS;
  let before = performance.now();
  async function run() {
    while (!isStopped) {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      const now = performance.now();
      // A hidden tab sleeps: what passed meanwhile is not caught up.
      await app.advance(Math.round(Math.min(now - before, 500)));
      before = now;
      if (app.clock.now() >= nextTickAt) {
        nextTickAt = app.clock.now() + TICK_MS;
        view.sent += 1;
        store.broadcast("news", String(view.sent));
      }
      view.transport = connection.state === "open" ? connection.transport : undefined;
      show(view);
    }
  }
  void run();

  return {
    /** Breaks every connection, and lets no new one be made until `reconnect`. */
    cut() {
      view.isOffline = true;
      app.network.offline();
    },
    reconnect() {
      view.isOffline = false;
      app.network.online();
    },
    /** Lets WebSocket through no more, like a proxy that does not know it. */
    block() {
      view.isBlocked = true;
      app.network.block("websocket");
      app.network.cut();
    },
    unblock() {
      view.isBlocked = false;
      app.network.unblock();
    },
    stop() {
      isStopped = true;
    },
  };
}
