// @ts-check
// The start of a server, before the first client. Ours is the package as its users install it.
import { startRow } from "../lib/row.js";

/** @type {Promise<unknown> | undefined} */
let packed;

/** Makes dist/package, once in a run. */
async function prepare() {
  const { pack } = await import("../../scripts/pack.js");
  packed ??= pack("dist");
  await packed;
}

export const start = startRow({
  name: "start",
  title: "start of a process until it listens, and its memory then",
  targets: { "node:http": "≤ 1.3 ×" },
  brief: ["unichannel", "node:http"],
  prepare,
  peers: {
    unichannel: "start-unichannel.js",
    "node:http": "http-node.js",
    "unichannel, a file for each module": "http-unichannel.js",
    ws: "ws-ws.js",
    "Socket.IO": "ws-socketio.js",
    Fastify: "http-fastify.js",
    Hono: "http-hono.js",
    "uWebSockets.js": "http-uws.js",
    "Bun.serve": "http-bun.js",
    "node:net": "http-net.js",
  },
});

export const imports = startRow({
  name: "import",
  title: "start of a process until it has imported the library, and its memory then",
  rank: "extra",
  prepare,
  peers: {
    unichannel: "import.js ../../dist/package/dist/src/index.js",
    "node:http": "import.js node:http",
    "unichannel, a file for each module": "import.js ../../dist/src/index.js",
    "ws and node:http": "import.js ws",
    nothing: "import.js",
  },
});
