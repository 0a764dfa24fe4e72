// @ts-check
// The hot paths of the engine over streams without sockets, each with the name of the benchmark row that does the same work with
// sockets. The guard counts them, and versus/run.js compares them.
import { constants, deflateRawSync } from "node:zlib";
import { BINARY, maskedFrame, TEXT, upgradeRequest } from "./frames.js";

/**
 * A round does `operations` operations. Every stream of `streams` must have been answered after a round.
 * @typedef {{ operations: number, round: () => Promise<void>, streams: readonly Stream[] }} Path
 * @typedef {{ connections: number, members: number }} Sizes connections that are answered one by one, and members of a group
 * @typedef {Awaited<ReturnType<typeof import("./engine.js").loadEngine>> & Sizes} Engine
 * @typedef {import("./sink.js").Sink} Stream
 */

/** Node reads at most this much of a socket at once. */
const READ_BYTES = 65_536;
const DEFLATE = [
  "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover",
];
const TEXT_128 = Buffer.alloc(128, "unichannel ").toString("latin1");
const GET = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n";
const EVENTS = `${GET}Accept: text/event-stream\r\n\r\n`;

/** @type {Record<string, (engine: Engine) => Promise<Path>>} */
export const PATHS = {
  "http-hello": (engine) => hello(engine, `${GET}\r\n`, 1),
  "http-20-fields": (engine) => hello(engine, `${GET}${"X-Some-Field: some value of a field\r\n".repeat(19)}\r\n`, 1),
  "http-pipelined": (engine) => hello(engine, `${GET}\r\n`, 16),
  "ws-echo-32-1": (engine) => echo(engine, frameOf(32), 1),
  "ws-echo-32-16": (engine) => echo(engine, frameOf(32), 16),
  "ws-echo-16k": (engine) => echo(engine, frameOf(16_384), 1),
  /** Such a message comes in two reads. */
  "ws-echo-64k-text": (engine) => echo(engine, frameOf(65_536), 1),
  "ws-echo-64k-bytes": (engine) => echo(engine, frameOf(65_536, BINARY), 1),
  /** All connections send the same text in one turn. */
  "ws-deflate-1k": (engine) => echo(engine, compressedFrameOf(1024), 1, DEFLATE),
  "session-echo": (engine) => sessionEcho(engine, 32),
  "session-echo-1k": (engine) => sessionEcho(engine, 1024),
  "publish-1": (engine) => publish(engine, upgradeRequest(), 1),
  "publish-16": (engine) => publish(engine, upgradeRequest(), 16),
  "publish-sse": (engine) => publish(engine, EVENTS, 1),
  "publish-sse-16": (engine) => publish(engine, EVENTS, 16),
  "wake-polls": async ({ library, serve, members }) => {
    const store = library.createChannelStore();
    const handler = serve((request) => library.pollGroup(request, store, "all"));
    const streams = connect(handler, members);
    let { id } = await store.publish("all", TEXT_128);
    return {
      streams,
      operations: members,
      round: async () => {
        const request = Buffer.from(GET.replace("/", `/?since=${id}`) + "\r\n");
        for (const stream of streams) stream.listener.onBytes(request);
        await turn();
        ({ id } = await store.publish("all", TEXT_128));
        // Answers are made at the end of the turn, and written at the end of the next.
        await turn();
        await turn();
      },
    };
  },
};

export const PATH_NAMES = Object.keys(PATHS);

/** A path after its first round. @param {string} name @param {Engine} engine */
export async function beginPath(name, engine) {
  const begin = PATHS[name];
  if (begin === undefined) throw new Error(`there is no path ${name}, but ${PATH_NAMES.join(", ")}`);
  const path = await begin(engine);
  await path.round();
  if (path.streams.some(({ written }) => written === 0))
    throw new Error(`${name} leaves connections without an answer`);
  return path;
}

/** @param {Engine} engine @param {string} request @param {number} inFlight @returns {Promise<Path>} */
async function hello({ serve, connections }, request, inFlight) {
  const headers = { "Content-Type": "text/plain" };
  const streams = connect(
    serve(() => ({ status: 200, headers, body: "hello world" })),
    connections,
  );
  return reading(streams, Buffer.from(request.repeat(inFlight)), inFlight);
}

/**
 * @param {Engine} engine @param {Buffer} frame @param {number} inFlight @param {readonly string[]} [fields] of the handshake
 * @returns {Promise<Path>}
 */
async function echo({ library, serve, connections }, frame, inFlight, fields = []) {
  const options = fields.length > 0 ? { compress: { thresholdBytes: 0 } } : {};
  const streams = connect(
    serve((request) =>
      library.withChannel(
        request,
        (channel) => {
          channel.onReceive((message) => channel.send(message));
        },
        options,
      ),
    ),
    connections,
  );
  for (const stream of streams) stream.listener.onBytes(Buffer.from(upgradeRequest("/", fields)));
  await turn();
  return reading(streams, Buffer.concat(Array.from({ length: inFlight }, () => frame)), inFlight);
}

/**
 * Echo on sessions whose carriers are WebSockets. The client acknowledges as ours does: all records, after each 16.
 * @param {Engine} engine @param {number} bytes @returns {Promise<Path>}
 */
async function sessionEcho({ library, serve, connections }, bytes) {
  const streams = connect(
    serve((request) => library.openSession(request, { receive: (message, channel) => channel.send(message) })),
    connections,
  );
  const request = upgradeRequest("/", ["Sec-WebSocket-Protocol: unichannel.v1"]);
  for (const stream of streams) stream.listener.onBytes(Buffer.from(request));
  await turn();
  const frame = maskedFrame(TEXT, Buffer.from(`m${TEXT_128.repeat(8).slice(0, bytes)}`));
  const record = Buffer.alloc(frame.length);
  const turns = 16;
  let received = 0;
  return {
    streams,
    operations: turns * streams.length,
    round: async () => {
      for (let i = 0; i < turns; i++) {
        for (const stream of streams) {
          frame.copy(record);
          stream.listener.onBytes(record);
        }
        await turn();
      }
      received += turns;
      for (const stream of streams) stream.listener.onBytes(maskedFrame(TEXT, Buffer.from(`a${received}`)));
    },
  };
}

/** A message of `bytes` bytes. @param {number} bytes @param {number} [opcode] */
function frameOf(bytes, opcode = TEXT) {
  return maskedFrame(opcode, Buffer.alloc(bytes, "unichannel "));
}

/** The same, compressed (RFC 7692 §7.2.1). @param {number} bytes */
function compressedFrameOf(bytes) {
  const deflated = deflateRawSync(Buffer.alloc(bytes, "unichannel "), { finishFlush: constants.Z_SYNC_FLUSH });
  const frame = maskedFrame(TEXT, deflated.subarray(0, -4));
  frame[0] = Number(frame[0]) | 0x40;
  return frame;
}

/** @param {Engine} engine @param {string} request @param {number} burst @returns {Promise<Path>} */
async function publish({ library, serve, members }, request, burst) {
  const store = library.createChannelStore();
  const handler = serve((request) =>
    library.withChannel(request, (channel) => {
      if (!channel.isWebSocket) channel.send("hello");
      store.addToGroup("all", channel);
    }),
  );
  const streams = connect(handler, members);
  for (const stream of streams) stream.listener.onBytes(Buffer.from(request));
  await turn();
  return {
    streams,
    operations: members * burst,
    round: async () => {
      for (let i = 0; i < burst; i++) void store.publish("all", TEXT_128);
      await turn();
    },
  };
}

/** A round of twenty turns in which each stream reads once. @param {Stream[]} streams @param {Buffer} bytes @param {number} inFlight @returns {Path} */
function reading(streams, bytes, inFlight) {
  const turns = 20;
  const copy = Buffer.alloc(bytes.length);
  /** @type {Buffer[]} */
  const reads = [];
  for (let at = 0; at < copy.length; at += READ_BYTES) reads.push(copy.subarray(at, at + READ_BYTES));
  return {
    streams,
    operations: turns * streams.length * inFlight,
    round: async () => {
      for (let i = 0; i < turns; i++) {
        for (const stream of streams) {
          // Unmasking changes the bytes in place.
          bytes.copy(copy);
          for (const read of reads) stream.listener.onBytes(read);
        }
        await turn();
      }
    },
  };
}

/** @param {() => Stream} open @param {number} count */
function connect(open, count) {
  return Array.from({ length: count }, open);
}

/** @returns {Promise<void>} */
function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}
