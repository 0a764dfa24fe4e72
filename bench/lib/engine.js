// @ts-check
// The engine of a checkout without its sockets: connections are streams that accept everything at once.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Sink } from "./sink.js";

/** This checkout. */
export const OWN = new URL("../../", import.meta.url);

/** Files of the two classes, in this layout and in that of commit 55ceb99. */
const SERVERS = ["server/exchange-server.js", "server/server.js"];
const DRIVERS = ["transport/http1/driver.js", "transport/http1-driver.js"];

/**
 * The exports of a built checkout, and a function that makes a server from a handler; the server makes connections.
 * @param {URL} [checkout]
 */
export async function loadEngine(checkout = OWN) {
  const dist = new URL("dist/src/", checkout);
  /** @type {typeof import("../../dist/src/index.js")} */
  const library = await import(new URL("index.js", dist).href);
  const { ExchangeServer, EngineServer = ExchangeServer } = await importFirst(dist, SERVERS);
  const { Http1Driver } = await importFirst(dist, DRIVERS);
  /** @param {import("../../dist/src/index.js").Handler} handler */
  const serve = (handler) => {
    const server = new EngineServer(handler, {});
    return () => {
      const stream = new Sink();
      stream.listener = new Http1Driver(stream, server);
      return stream;
    };
  };
  return { library, serve };
}

/** @param {URL} folder @param {readonly string[]} files @returns {Promise<any>} */
function importFirst(folder, files) {
  const file = files.map((name) => new URL(name, folder)).find((url) => existsSync(url));
  if (file === undefined) throw new Error(`${folder} has none of ${files.join(", ")}: is the checkout built?`);
  return import(file.href);
}

/** The checkout in a folder. @param {string} path */
export function checkoutAt(path) {
  return pathToFileURL(`${resolve(path)}/`);
}
