// The servers of the demo, one after the other: the engine of unichannel/testing, with a session store as `serve` would give it one.
// `testServer` itself has none, because a test has one server.
import { StoresMover } from "../../dist/src/group/moving.js";
import { SessionService } from "../../dist/src/server/relay/session-service.js";
import { MemoryEngine } from "../../dist/src/testing/memory-engine.js";

/** Servers pass requests on to each other at this address; in the demo none has to, because the next one answers when the last has gone. */
const RELAY = { host: "127.0.0.1" };

/**
 * @typedef {object} Options
 * @property {any} app the test server: its network brings connections to `app.server`
 * @property {any} sessions
 * @property {any} stores
 */

/** Starts a server, which nobody asks before `listen`. @param {any} handler @param {Options} options */
export async function startServer(handler, { app, sessions, stores }) {
  const { clock, url } = app;
  const report = (/** @type {unknown} */ error) => console.error(error);
  const engine = new MemoryEngine(handler, { onError: report }, { clock, url });
  const { exchanges } = engine;
  const memberships = new StoresMover(stores, report);
  const service = new SessionService(exchanges, { store: sessions, relay: RELAY, memberships });
  exchanges.service = service;
  await service.start();
  return {
    /** The network's new connections go to this server. */
    listen() {
      app.server = engine;
    },
    /** Ends its connections, and puts its sessions into the session store. */
    stop: () => engine.stop(),
  };
}
