// @ts-check
// Runs the engine over streams without sockets and counts. Prints one JSON object; guard.js explains it.
import { loadEngine } from "../lib/engine.js";
import { maskedFrame, TEXT, upgradeRequest } from "../lib/frames.js";

const { library, serve } = await loadEngine();
const { withChannel } = library;

const WARMUP = 60_000;
const OPERATIONS = 20_000;
const IDLE = 2_000;
/** Connections that are open before those that are counted. */
const FIRST_IDLE = 200;

let sessions = 0;

const gc = globalThis.gc ?? (() => {});
const headers = { "Content-Type": "text/plain" };

/** @param {import("../../dist/src/index.js").Handler} handler */
function connected(handler) {
  return serve(handler)();
}

/**
 * Bytes and writes for each operation. `run` does so many operations that the other costs of a turn (its one write, its timers) are small.
 * @param {import("../lib/sink.js").Sink} stream
 * @param {(times: number) => void} run
 */
async function count(stream, run, perRun = 1) {
  run(WARMUP / perRun);
  await new Promise(setImmediate);
  gc();
  const writes = stream.writes;
  const before = process.memoryUsage().heapUsed;
  run(OPERATIONS / perRun);
  const after = process.memoryUsage().heapUsed;
  await new Promise(setImmediate);
  return {
    "bytes per operation": Math.round((after - before) / OPERATIONS),
    "writes per 1,000 operations": Math.round(((stream.writes - writes) * 1000) / OPERATIONS),
  };
}

/** @param {import("../lib/sink.js").Sink} stream @param {Buffer} bytes */
function reading(stream, bytes) {
  return (/** @type {number} */ times) => {
    for (let i = 0; i < times; i++) stream.listener.onBytes(bytes);
  };
}

/** Unmasking changes the bytes in place: every read needs its own. @param {import("../lib/sink.js").Sink} stream @param {Buffer} bytes */
function readingCopies(stream, bytes) {
  const copy = Buffer.alloc(bytes.length);
  return (/** @type {number} */ times) => {
    for (let i = 0; i < times; i++) {
      bytes.copy(copy);
      stream.listener.onBytes(copy);
    }
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

const hello = () => ({ status: 200, headers, body: "hello world" });
const echo = (/** @type {import("../../dist/src/index.js").ChannelRequest} */ request) =>
  withChannel(request, (channel) => {
    channel.onMessage((message) => channel.send(message));
  });
const parked = (/** @type {import("../../dist/src/index.js").ChannelRequest} */ request) =>
  withChannel(request, () => {});
const sessionHandlers = { open: () => sessions++ };
const session = (/** @type {import("../../dist/src/index.js").ChannelRequest} */ request) =>
  library.openSession(request, sessionHandlers);

const GET = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n";
const MANY = `GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n${"X-Some-Field: some value of a field\r\n".repeat(19)}\r\n`;
const SSE = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nAccept: text/event-stream\r\n\r\n";
const message = maskedFrame(TEXT, Buffer.alloc(32, "unichannel "));

/** @param {import("../../dist/src/index.js").Handler} handler @param {string} request */
async function opened(handler, request) {
  const stream = connected(handler);
  stream.listener.onBytes(Buffer.from(request));
  await new Promise(setImmediate);
  return stream;
}

/** @type {import("../../dist/src/index.js").Channel | undefined} */
let events;
const sse = await opened(
  (request) =>
    withChannel(request, (channel) => {
      events = channel;
    }),
  SSE,
);

const web = await opened(echo, upgradeRequest());
const webBurst = await opened(echo, upgradeRequest());
const http = connected(hello);
const httpMany = connected(hello);
const httpBurst = connected(hello);

const result = {
  "GET of 11 bytes": await count(http, reading(http, Buffer.from(GET))),
  "GET with 20 fields": await count(httpMany, reading(httpMany, Buffer.from(MANY))),
  "GET, 16 pipelined": await count(httpBurst, reading(httpBurst, Buffer.from(GET.repeat(16))), 16),
  "WebSocket echo of 32 bytes": await count(web, readingCopies(web, message)),
  "WebSocket echo of 32 bytes, 16 at once": await count(
    webBurst,
    readingCopies(webBurst, Buffer.concat(Array.from({ length: 16 }, () => message))),
    16,
  ),
  "event of 32 bytes, all in one turn": await count(sse, (times) => {
    for (let i = 0; i < times; i++) events?.send("unichannel unichannel unichannel");
  }),
  "idle WebSocket": await idleBytes(echo, upgradeRequest()),
  "idle session": await idleBytes(session, upgradeRequest("/", ["Sec-WebSocket-Protocol: unichannel.v1"])),
  "parked long poll": await idleBytes(parked, GET),
};
if (sessions !== IDLE + FIRST_IDLE) throw new Error(`${sessions} sessions were opened`);
process.stdout.write(JSON.stringify(result));
process.exit();
