// @ts-check
// Our server for a row's work: on our own engine, or, with "attached" as the last argument of the process, inside node:http.
import { createServer } from "node:http";
import { serve } from "../../dist/src/index.js";
import { attach } from "../../dist/src/node.js";

/** Listens on a free port of 127.0.0.1. @param {import("../../dist/src/index.js").Handler} handler */
export async function listening(handler) {
  if (process.argv.at(-1) !== "attached") return serve(handler, { port: 0, host: "127.0.0.1" });
  const server = createServer();
  server.on("request", attach(server, { upgrades: "/" }).listener(handler));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", 1024, () => resolve(undefined)));
  return { port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
}
