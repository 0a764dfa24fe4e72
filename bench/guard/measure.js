// @ts-check
// Counts heap bytes and writes of paths: `node measure.js [PATH…]`, and without one also the heap of silent connections. Prints one JSON object; guard.js
// explains it. All paths run in their order, also if only some are asked for: what V8 has learnt from those before changes how it compiles the next.
import "../lib/still-time.js";
import { loadEngine } from "../lib/engine.js";
import { upgradeRequest } from "../lib/frames.js";
import { PATH_NAMES } from "../lib/paths.js";
import { beginWarm, warmTurns } from "./work.js";

const WINDOWS = 6;
const OPERATIONS = 3000;
/** After some 40 MB of buffers V8 would collect garbage. */
const FEWER = new Map([
  ["ws-echo-16k", 640],
  ["ws-echo-64k-text", 320],
  ["ws-echo-64k-bytes", 320],
]);
const IDLE = 2000;
/** Connections that are open before those that are counted. */
const FIRST_IDLE = 200;

const names = process.argv.slice(2);
const engine = await loadEngine();
const { library, serve } = engine;
const gc = globalThis.gc ?? (() => {});

/** @type {Record<string, Record<string, number>>} */
const result = {};
await warmTurns();
for (const name of PATH_NAMES) {
  const counts = await countPath(name);
  if (names.length === 0 || names.includes(name)) result[name] = counts;
}
if (names.length === 0) {
  result["idle WebSocket"] = await idleBytes(
    (request) =>
      library.withChannel(request, (channel) => {
        channel.onMessage((message) => channel.send(message));
      }),
    upgradeRequest(),
  );
  let sessions = 0;
  const handlers = { open: () => sessions++ };
  result["idle session"] = await idleBytes(
    (request) => library.openSession(request, handlers),
    upgradeRequest("/", ["Sec-WebSocket-Protocol: unichannel.v1"]),
  );
  if (sessions !== IDLE + FIRST_IDLE) throw new Error(`${sessions} sessions were opened`);
  result["parked long poll"] = await idleBytes(
    (request) => library.withChannel(request, () => {}),
    "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n",
  );
}
process.stdout.write(JSON.stringify(result));
process.exit();

/**
 * Bytes and writes for each operation, in the window of six with the least bytes: the compiler, which may run in one of them, can only add. Bytes of buffers
 * are not on the heap.
 * @param {string} name
 */
async function countPath(name) {
  const { path, run } = await beginWarm(name, engine);
  gc();
  const writes = () => path.ends.reduce((sum, end) => sum + end.writes, 0);
  let least = { bytes: Number.POSITIVE_INFINITY, writes: 0 };
  for (let window = 0; window < WINDOWS; window++) {
    gc({ type: "minor" });
    const written = writes();
    const before = process.memoryUsage().heapUsed;
    const operations = await run(FEWER.get(name) ?? OPERATIONS);
    const bytes = (process.memoryUsage().heapUsed - before) / operations;
    if (bytes < least.bytes) least = { bytes, writes: (writes() - written) / operations };
  }
  return {
    "bytes per operation": Math.round(least.bytes),
    "writes per 1,000 operations": Math.round(least.writes * 1000),
  };
}

/** @param {import("../../dist/src/index.js").Handler} handler @param {string} request */
async function idleBytes(handler, request) {
  const connect = serve(handler);
  /** @type {import("../lib/sink.js").Sink[]} */
  const streams = [];
  const open = async (/** @type {number} */ connections) => {
    for (let i = 0; i < connections; i++) {
      const stream = connect();
      // An unknown address: clients of one address may open 1,000 sessions.
      stream.remoteAddress = undefined;
      stream.listener.onBytes(Buffer.from(request));
      streams.push(stream);
    }
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    gc();
  };
  await open(FIRST_IDLE);
  const before = process.memoryUsage().heapUsed;
  await open(IDLE);
  const bytes = Math.round((process.memoryUsage().heapUsed - before) / IDLE);
  return { "bytes per idle connection": streams.length > 0 ? bytes : 0 };
}
