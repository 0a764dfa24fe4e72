// @ts-check
// Our server for a row's work: on our own engine; with "attached" as the last argument of the process inside node:http or node:http2,
// with "inspected" under the eyes of an open page of its inspector.
// Modules that only some rows need are imported where they need them: the row `start` measures this program, too.
import { serve } from "../../dist/src/index.js";

/**
 * Listens on a free port of 127.0.0.1.
 * @param {import("../../dist/src/index.js").Handler} handler
 * @param {import("../../dist/src/inspector.js").InspectorOptions} [options] of the inspector
 */
export async function listening(handler, options) {
  if (process.argv.at(-1) === "inspected") return inspected(handler, options);
  if (process.argv.at(-1) !== "attached") return serve(handler, { port: 0, host: "127.0.0.1" });
  const { createServer } = await import("node:http");
  return attachedTo(createServer(), handler);
}

/** The same over HTTP/2 and TLS. @param {import("../../dist/src/index.js").Handler} handler */
export async function listeningHttp2(handler) {
  const { certificate } = await import("./certificate.js");
  const tls = certificate();
  if (process.argv.at(-1) !== "attached") return serve(handler, { port: 0, host: "127.0.0.1", tls, http2: true });
  const { createSecureServer } = await import("node:http2");
  return attachedTo(createSecureServer({ ...tls, settings: { enableConnectProtocol: true } }), handler);
}

/**
 * A server with an inspector, and a process that looks at its list of channels as an open page does.
 * @param {import("../../dist/src/index.js").Handler} handler
 * @param {import("../../dist/src/inspector.js").InspectorOptions} [options]
 */
async function inspected(handler, options) {
  const { fork } = await import("node:child_process");
  const { inspector } = await import("../../dist/src/inspector.js");
  /** @type {import("../../dist/src/inspector.js").Inspector | undefined} */
  let inspect;
  const server = await serve((request) => (request.path === "/inspect/live" ? inspect?.(request) : handler(request)), {
    port: 0,
    host: "127.0.0.1",
  });
  inspect = inspector(server, options);
  const page = fork(new URL("inspector-page.js", import.meta.url), [`${server.url}/inspect/live`]);
  await new Promise((resolve) => page.once("message", resolve));
  return server;
}

/** @param {import("node:http").Server | import("node:http2").Http2SecureServer} server @param {import("../../dist/src/index.js").Handler} handler */
async function attachedTo(server, handler) {
  const { attach } = await import("../../dist/src/node.js");
  server.on("request", attach(server, { upgrades: "/" }).listener(handler));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", 1024, () => resolve(undefined)));
  return { port: /** @type {import("node:net").AddressInfo} */ (server.address()).port };
}
