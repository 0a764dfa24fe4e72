// @ts-check
// Our channels inside the runtime's own server, by `createFetchHost`: Bun.serve or Deno.serve. Runs on Bun and on Deno.
import { createFetchHost } from "../../dist/src/fetch-host.js";

/** Listens on a free port of 127.0.0.1. @param {import("../../dist/src/index.js").Handler} handler */
export function fetchListening(handler) {
  const host = createFetchHost();
  const fetch = host.fetch(handler);
  /** @type {{ Bun?: any, Deno?: any }} */
  const { Bun, Deno } = /** @type {any} */ (globalThis);
  const address = { port: 0, hostname: "127.0.0.1" };
  if (Bun !== undefined) {
    return { port: Bun.serve({ ...address, fetch, websocket: host.websocket, idleTimeout: 0 }).port };
  }
  return { port: Deno.serve({ ...address, onListen: () => {} }, fetch).addr.port };
}
