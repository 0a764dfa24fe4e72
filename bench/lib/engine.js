// @ts-check
// The engine of a checkout without its sockets: connections are streams that accept everything at once.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { Sink } from "./sink.js";

/** This checkout. */
export const OWN = new URL("../../", import.meta.url);

/** Files of the parts, in this layout and in that of commit 55ceb99. */
const PARTS = {
  library: ["index.js"],
  server: ["server/exchange-server.js", "server/server.js"],
  driver: ["transport/http1/driver.js", "transport/http1-driver.js"],
  client: ["client/index.js"],
  node: ["node.js"],
};

/**
 * The exports of a built checkout, and a function that makes a server from a handler; the server makes connections.
 * @param {URL} [checkout]
 */
export async function loadEngine(checkout = OWN) {
  const modules = Object.entries(filesOf(checkout)).map(async ([part, file]) => [part, await import(file.href)]);
  return toEngine(Object.fromEntries(await Promise.all(modules)));
}

/**
 * Bundles the engine of a checkout into one file, which loads in half the time, and returns a function that loads it. Each call loads another instance,
 * whose code V8 optimizes by itself: what one of them does changes nothing for the next.
 * @param {URL} checkout @param {string} folder for the file
 */
export async function bundleEngine(checkout, folder) {
  const outfile = join(folder, "engine.mjs");
  const parts = Object.entries(filesOf(checkout));
  const contents = parts.map(([part, file]) => `export * as ${part} from ${JSON.stringify(fileURLToPath(file))};`);
  await build({
    stdin: { contents: contents.join("\n"), resolveDir: fileURLToPath(checkout) },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    outfile,
  });
  return outfile;
}

let instances = 0;

/** Loads a file of `bundleEngine`, each time another instance. @param {string} file */
export async function loadBundle(file) {
  instances += 1;
  return toEngine(await import(`${pathToFileURL(file).href}?${instances}`));
}

/**
 * @param {Record<string, any>} modules by part
 * @returns the exports of the entries, and a function that makes a server of a handler
 */
function toEngine({ library, server, driver, client, node }) {
  const EngineServer = server.EngineServer ?? server.ExchangeServer;
  return {
    library: /** @type {typeof import("../../dist/src/index.js")} */ (library),
    client: /** @type {typeof import("../../dist/src/client/index.js")} */ (client),
    node: /** @type {typeof import("../../dist/src/node.js")} */ (node),
    /** @param {import("../../dist/src/index.js").Handler} handler @param {import("../../dist/src/index.js").ServeOptions} [options] */
    serve(handler, options = {}) {
      const made = new EngineServer(handler, options);
      return () => {
        const stream = new Sink();
        stream.listener = new driver.Http1Driver(stream, made);
        return stream;
      };
    },
  };
}

/** The file of each part that the checkout has. @param {URL} checkout */
function filesOf(checkout) {
  const dist = new URL("dist/src/", checkout);
  /** @type {Record<string, URL>} */
  const found = {};
  for (const [part, names] of Object.entries(PARTS)) {
    const file = names.map((name) => new URL(name, dist)).find((url) => existsSync(url));
    if (file !== undefined) found[part] = file;
  }
  if (found.library === undefined) throw new Error(`${dist} has no ${PARTS.library[0]}: is the checkout built?`);
  return found;
}

/** The checkout in a folder. @param {string} path */
export function checkoutAt(path) {
  return pathToFileURL(`${resolve(path)}/`);
}
