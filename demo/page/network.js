// @ts-check
// The chat's network, with switches. The chat gives `connect` this `fetch` and this `WebSocket`. They are the browser's own until
// a switch is set; then open connections are really closed, and the server sees a client that left. `connect` is not
// told: it notices as with a real network.

import { platform } from "/unichannel/client/environment.js";

/** @typedef {"network" | "websocket" | "streams"} Switch */

/** The client tries a better carrier after 30 s, 60 s, …; in the demo after 5 s. */
const CLIMB_MS = 30_000;
const DEMO_CLIMB_MS = 5000;

/** The parts that are broken now. @type {Record<Switch, boolean>} */
export const broken = { network: false, websocket: false, streams: false };

/** Abort the WebSockets and the requests that are open now. */
let sockets = new AbortController();
let requests = new AbortController();

/** Listeners for the browser's events about its network. @type {Set<(event: "online" | "offline") => void>} */
const watchers = new Set();

/** Called when a part was broken or mended. @type {Set<() => void>} */
const switched = new Set();
/** @param {() => void} fn */
export const onSwitch = (fn) => void switched.add(fn);

/** Breaks or mends a part, and ends what goes through it. @param {Switch} part @param {boolean} isBroken */
export function setBroken(part, isBroken) {
  broken[part] = isBroken;
  for (const tell of switched) tell();
  if (isBroken && part !== "streams") {
    sockets.abort();
    sockets = new AbortController();
  }
  if (isBroken && part !== "websocket") {
    requests.abort(new TypeError("The network was cut."));
    requests = new AbortController();
  }
  // A browser reports this, too.
  if (part === "network") for (const tell of watchers) tell(isBroken ? "offline" : "online");
}

/** Mends all parts. */
export function mend() {
  for (const part of /** @type {Switch[]} */ (Object.keys(broken))) if (broken[part]) setBroken(part, false);
}

export const NetworkWebSocket = new Proxy(WebSocket, {
  construct: (WebSocket, [url, protocols]) => {
    if (broken.network || broken.websocket) return new RefusedWebSocket();
    const socket = new WebSocket(url, protocols);
    const cut = () => {
      const { onclose } = socket;
      // Messages that arrive from now on are lost.
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

/** The clock, and the browser's events about its network. @type {import("/unichannel/client/environment.js").Environment} */
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
