// @ts-check
// The chat's network, with switches. A page cannot reach for the cable, but all that the chat sends and gets goes through the
// `fetch` and the `WebSocket` that it gives to `connect`. They are the browser's own until a switch is set; then what is
// open is closed for real, and the server sees a client that is gone. `connect` is not told: it finds out as it always does.

import { platform } from "/unichannel/client/environment.js";

/** @typedef {"network" | "websocket" | "streams"} Switch */

/** A better carrier is tried after 30 s, 60 s, … Nobody looks at a demo for so long. */
const CLIMB_MS = 30_000;
const DEMO_CLIMB_MS = 5000;

/** The parts that are broken now. @type {Record<Switch, boolean>} */
export const broken = { network: false, websocket: false, streams: false };

/** Abort the WebSockets and the requests that are open now. */
let sockets = new AbortController();
let requests = new AbortController();

/** Listeners for the browser's events about its network. @type {Set<(event: "online" | "offline") => void>} */
const watchers = new Set();

/** Breaks or mends a part, and ends what goes through it. @param {Switch} part @param {boolean} isBroken */
export function setBroken(part, isBroken) {
  broken[part] = isBroken;
  if (isBroken && part !== "streams") {
    sockets.abort();
    sockets = new AbortController();
  }
  if (isBroken && part !== "websocket") {
    requests.abort(new TypeError("The network was cut."));
    requests = new AbortController();
  }
  // A browser says so too.
  if (part === "network") for (const tell of watchers) tell(isBroken ? "offline" : "online");
}

export const NetworkWebSocket = new Proxy(WebSocket, {
  construct: (WebSocket, [url, protocols]) => {
    if (broken.network || broken.websocket) return new RefusedWebSocket();
    const socket = new WebSocket(url, protocols);
    const cut = () => {
      const { onclose } = socket;
      // Whatever comes down from now on is lost.
      socket.onmessage = socket.onclose = null;
      socket.close();
      onclose?.call(socket, new CloseEvent("close", { code: 1006 }));
    };
    const { signal } = sockets;
    signal.addEventListener("abort", cut);
    socket.addEventListener("close", () => signal.removeEventListener("abort", cut));
    return socket;
  },
});

class RefusedWebSocket {
  /** @type {((event: CloseEvent) => void) | null} */
  onclose = null;

  constructor() {
    setTimeout(() => this.onclose?.(new CloseEvent("close", { code: 1006 })));
  }

  send() {}
  close() {}
}

/** @param {RequestInfo | URL} input @param {RequestInit} [init] */
export async function networkFetch(input, init) {
  if (broken.network) throw new TypeError("The network is cut.");
  const cut = requests.signal;
  const signal = init?.signal ? AbortSignal.any([init.signal, cut]) : cut;
  const response = await fetch(input, { ...init, signal });
  if (!broken.streams) return response;
  // Some proxies pass a response on only when it is complete. A stream never is; a poll is.
  return new Response(await response.arrayBuffer(), response);
}

/** Time, and what the browser says of the network. @type {import("/unichannel/client/environment.js").Environment} */
export const environment = {
  ...platform,
  clock: {
    ...platform.clock,
    setTimer: (fn, delayMs) => platform.clock.setTimer(fn, delayMs < CLIMB_MS ? delayMs : DEMO_CLIMB_MS),
  },
  watch(fn) {
    watchers.add(fn);
    const end = platform.watch(fn);
    return () => {
      watchers.delete(fn);
      end();
    };
  },
};
