// @ts-check
// Runs the engine over streams without sockets and counts. Prints one JSON object; guard.js explains it.
import { withChannel } from "../../dist/src/index.js";
import { EngineServer } from "../../dist/src/server/engine-server.js";
import { Http1Driver } from "../../dist/src/transport/http1/driver.js";
import { maskedFrame, TEXT, upgradeRequest } from "../lib/frames.js";

const WARMUP = 60_000;
const OPERATIONS = 20_000;
const IDLE = 2_000;

const gc = globalThis.gc ?? (() => {});
const headers = { "Content-Type": "text/plain" };

/** A stream whose client takes everything at once. */
class CountingStream {
  /** @type {any} */
  listener;
  bufferedAmount = 0;
  remoteAddress = "192.0.2.1";
  isEncrypted = false;
  writes = 0;
  write() {
    this.writes++;
  }
  end() {}
  destroy() {}
  pause() {}
  resume() {}
}

/** @param {import("../../dist/src/index.js").Handler} handler */
function connect(handler, server = new EngineServer(handler, {})) {
  const stream = new CountingStream();
  stream.listener = new Http1Driver(/** @type {any} */ (stream), server);
  return stream;
}

/**
 * Bytes and writes for each operation. `run` does so many that the rest of a turn (its one write, its timers) is small.
 * @param {CountingStream} stream
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

/** @param {CountingStream} stream @param {Buffer} bytes */
function reading(stream, bytes) {
  return (/** @type {number} */ times) => {
    for (let i = 0; i < times; i++) stream.listener.onBytes(bytes);
  };
}

/** Unmasking changes the bytes in place: every read needs its own. @param {CountingStream} stream @param {Buffer} bytes */
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
  const server = new EngineServer(handler, {});
  /** @type {CountingStream[]} */
  const streams = [];
  const open = async (/** @type {number} */ connections) => {
    for (let i = 0; i < connections; i++) {
      const stream = connect(handler, server);
      stream.listener.onBytes(Buffer.from(request));
      streams.push(stream);
    }
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    gc();
  };
  await open(200);
  const before = process.memoryUsage().heapUsed;
  await open(IDLE);
  const bytes = Math.round((process.memoryUsage().heapUsed - before) / IDLE);
  return { "bytes per idle connection": streams.length > 0 ? bytes : 0 };
}

const hello = () => ({ status: 200, headers, body: "hello world" });
const echo = (/** @type {import("../../dist/src/index.js").ChannelRequest} */ request) =>
  withChannel(request, (channel) => {
    channel.onReceive((message) => channel.send(message));
  });
const parked = (/** @type {import("../../dist/src/index.js").ChannelRequest} */ request) =>
  withChannel(request, () => {});

const GET = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n\r\n";
const MANY = `GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n${"X-Some-Field: some value of a field\r\n".repeat(19)}\r\n`;
const SSE = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nAccept: text/event-stream\r\n\r\n";
const message = maskedFrame(TEXT, Buffer.alloc(32, "unichannel "));

/** @param {import("../../dist/src/index.js").Handler} handler @param {string} request */
async function opened(handler, request) {
  const stream = connect(handler);
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
const http = connect(hello);
const httpMany = connect(hello);
const httpBurst = connect(hello);

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
  "parked long poll": await idleBytes(parked, GET),
};
process.stdout.write(JSON.stringify(result));
process.exit();
