// @ts-check
// The hot paths of the engine over streams without sockets, each with the name of the benchmark row that does the same work with
// sockets. The guard counts them, and versus/run.js compares them.
import { createServer } from "node:http";
import { Duplex } from "node:stream";
import { constants, deflateRawSync } from "node:zlib";
import { BINARY, maskedFrame, TEXT, upgradeRequest } from "./frames.js";

/**
 * A round does `operations` operations. Every end of `ends` must have been answered after a round.
 * @typedef {{ operations: number, round: () => Promise<void>, ends: readonly End[] }} Path
 * @typedef {{ written: number, writes: number }} End of a connection, with what the engine has written to it
 * @typedef {{ connections: number, members: number }} Sizes connections that are answered one by one, and members of a group
 * @typedef {Awaited<ReturnType<typeof import("./engine.js").loadEngine>> & Sizes} Engine
 * @typedef {import("./sink.js").Sink} Stream
 */

/** Node reads at most this much of a socket at once. */
const READ_BYTES = 65_536;
const DEFLATE = [
  "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover",
];
const SESSION = ["Sec-WebSocket-Protocol: unichannel.v1"];
const TEXT_128 = Buffer.alloc(128, "unichannel ").toString("latin1");
const GET = "GET / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\n";
const EVENTS = `${GET}Accept: text/event-stream\r\n\r\n`;
const HELLO = { status: 200, headers: { "Content-Type": "text/plain" }, body: "hello world" };
/** Turns of a round in which each connection reads once. */
const TURNS = 20;
/** A session acknowledges after so many records (PROTOCOL.md, "Acknowledgements"). */
const RECORDS = 16;

/** Time stands still; what is to happen after no time happens in the next turn. @type {import("../../dist/src/index.js").Clock} */
const TURNS_ONLY = {
  now: () => 0,
  setTimer: (fn, delayMs) => (delayMs === 0 ? setImmediate(fn) : undefined),
  clearTimer() {},
};

/** @type {Record<string, (engine: Engine) => Promise<Path>>} */
export const PATHS = {
  "http-hello": (engine) => hello(engine, `${GET}\r\n`, 1),
  "http-20-fields": (engine) => hello(engine, `${GET}${"X-Some-Field: some value of a field\r\n".repeat(19)}\r\n`, 1),
  "http-post-1k": async ({ serve, connections }) => {
    const streams = connect(
      serve(async (request) => {
        await request.text();
        return HELLO;
      }),
      connections,
    );
    const head = "POST / HTTP/1.1\r\nHost: 127.0.0.1:9090\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n";
    return reading(streams, Buffer.from(head + TEXT_128.repeat(8)), 1);
  },
  "http-pipelined": (engine) => hello(engine, `${GET}\r\n`, 16),
  "http-churn": async ({ serve, connections }) => {
    const open = serve(() => HELLO);
    const end = { written: 0, writes: 0 };
    return {
      ends: [end],
      operations: TURNS * connections,
      round: async () => {
        for (let i = 0; i < TURNS; i++) {
          const streams = connect(open, connections);
          for (const stream of streams) stream.listener.onBytes(Buffer.from(`${GET}Connection: close\r\n\r\n`));
          await turn();
          for (const stream of streams) {
            stream.listener.onEof();
            stream.listener.onClosed(undefined);
            end.written += stream.written;
            end.writes += stream.writes;
          }
        }
      },
    };
  },
  "attach-hello": attachedHello,
  "ws-echo-32-1": (engine) => echo(engine, frameOf(32), 1),
  "ws-echo-32-16": (engine) => echo(engine, frameOf(32), 16),
  "ws-echo-16k": (engine) => echo(engine, frameOf(16_384), 1),
  /** Such a message comes in two reads. */
  "ws-echo-64k-text": (engine) => echo(engine, frameOf(65_536), 1),
  "ws-echo-64k-bytes": (engine) => echo(engine, frameOf(65_536, BINARY), 1),
  /** All connections send the same text in one turn. */
  "ws-deflate-1k": (engine) =>
    echo(engine, compressedFrameOf(1024), 1, { fields: DEFLATE, compress: { thresholdBytes: 0 } }),
  /** With a limit for the rate, which is never reached. */
  "ws-echo-rate": (engine) => echo(engine, frameOf(32), 1, { maxMessagesPerSecond: 1e12, maxBytesPerSecond: 1e12 }),
  /** Values of the application: parsed, checked by a schema, and answered with a value that is checked by another. */
  "ws-echo-typed": (engine) => {
    const { server: codec } = engine.library.jsonMessages({
      toServer: schemaOf("say"),
      toClient: schemaOf("from", "say"),
    });
    const frame = maskedFrame(TEXT, Buffer.from(JSON.stringify({ say: TEXT_128 })));
    return echo(engine, frame, 1, { codec }, ({ say }) => ({ from: "echo", say }));
  },
  "session-echo": (engine) => sessionEcho(engine, 32),
  "session-echo-1k": (engine) => sessionEcho(engine, 1024),
  "session-request": (engine) => sessionRequests(engine),
  "publish-1": (engine) => publish(engine, upgradeRequest(), 1),
  "publish-16": (engine) => publish(engine, upgradeRequest(), 16),
  "publish-sse": (engine) => publish(engine, EVENTS, 1),
  "publish-sse-16": (engine) => publish(engine, EVENTS, 16),
  "publish-session": (engine) => publishToSessions(engine),
  /** The history keeps the last message of each of 100 keys. */
  "publish-latest": (engine) => {
    let next = 0;
    const latest = () => `key-${next++ % 100}`;
    return publish(engine, upgradeRequest(), 1, { history: { latest } });
  },
  "publish-stream": (engine) => publishStream(engine),
  "wake-polls": async ({ library, serve, members }) => {
    const store = library.createChannelStore();
    const handler = serve((request) => library.pollGroup(request, store, "all"));
    const streams = connect(handler, members);
    let { id } = await store.publish("all", TEXT_128);
    return {
      ends: streams,
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
  "client-receive": clientReceive,
  "client-send": clientSend,
};

export const PATH_NAMES = Object.keys(PATHS);

/** A path after its first round. @param {string} name @param {Engine} engine */
export async function beginPath(name, engine) {
  const begin = PATHS[name];
  if (begin === undefined) throw new Error(`there is no path ${name}, but ${PATH_NAMES.join(", ")}`);
  const path = await begin(engine);
  await path.round();
  if (path.ends.some(({ written }) => written === 0)) throw new Error(`${name} leaves connections without an answer`);
  return path;
}

/** @param {Engine} engine @param {string} request @param {number} inFlight @returns {Promise<Path>} */
async function hello({ serve, connections }, request, inFlight) {
  return reading(
    connect(
      serve(() => HELLO),
      connections,
    ),
    Buffer.from(request.repeat(inFlight)),
    inFlight,
  );
}

/** GET of 11 bytes inside a server of node:http. @param {Engine} engine @returns {Promise<Path>} */
async function attachedHello({ node, connections }) {
  const server = createServer();
  const attached = node.attach(server, { upgrades: "/live" });
  server.on(
    "request",
    attached.listener(() => HELLO),
  );
  const ends = Array.from({ length: connections }, () => {
    const stream = new DuplexEnd();
    server.emit("connection", stream);
    return stream;
  });
  const request = Buffer.from(`${GET}\r\n`);
  return {
    ends,
    operations: TURNS * ends.length,
    round: async () => {
      for (let i = 0; i < TURNS; i++) {
        const writes = ends[0]?.writes ?? 0;
        for (const end of ends) end.push(request);
        // Node reads and answers in ticks and turns of its own.
        while (ends[0]?.writes === writes) await turn();
        await turn();
      }
    },
  };
}

/** The server's end of a connection for a server of Node. */
class DuplexEnd extends Duplex {
  written = 0;
  writes = 0;
  /** @override */
  _read() {}
  /** @override @param {Uint8Array} bytes @param {unknown} _ @param {() => void} done */
  _write(bytes, _, done) {
    this.written += bytes.length;
    this.writes++;
    done();
  }
  /** @override @param {readonly { chunk: Uint8Array }[]} pieces @param {() => void} done */
  _writev(pieces, done) {
    for (const { chunk } of pieces) this.written += chunk.length;
    this.writes++;
    done();
  }
}

/**
 * @param {Engine} engine @param {Buffer} frame @param {number} inFlight
 * @param {Record<string, any> & { fields?: readonly string[] }} [options] of the channels, and fields of the handshake
 * @param {(message: any) => any} [answer]
 * @returns {Promise<Path>}
 */
async function echo({ library, serve, connections }, frame, inFlight, { fields = [], ...options } = {}, answer) {
  const streams = connect(
    serve((request) =>
      library.withChannel(
        request,
        (channel) => {
          if (answer === undefined) channel.onReceive((message) => channel.send(message));
          else channel.onReceive((message) => channel.send(answer(message)));
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

/** A schema of an object with texts, written by hand as a library would compile it. @param {...string} names */
function schemaOf(...names) {
  const validate = (/** @type {any} */ value) =>
    typeof value === "object" && value !== null && names.every((name) => typeof value[name] === "string")
      ? { value }
      : { issues: [{ message: `needs ${names.join(" and ")}` }] };
  return { "~standard": { version: /** @type {const} */ (1), vendor: "bench", validate } };
}

/**
 * Echo on sessions whose carriers are WebSockets.
 * @param {Engine} engine @param {number} bytes @returns {Promise<Path>}
 */
async function sessionEcho(engine, bytes) {
  const streams = await openSessions(engine, { receive: (message, channel) => channel.send(message) });
  const frame = maskedFrame(TEXT, Buffer.from(`m${TEXT_128.repeat(8).slice(0, bytes)}`));
  const record = Buffer.alloc(frame.length);
  return acknowledging(streams, streams.length, () => {
    for (const stream of streams) {
      frame.copy(record);
      stream.listener.onBytes(record);
    }
  });
}

/** Requests of the client, which are answered with their data. @param {Engine} engine @returns {Promise<Path>} */
async function sessionRequests(engine) {
  const streams = await openSessions(engine, { request: (data) => data }, "/?requests=100");
  let last = 0;
  return acknowledging(streams, streams.length, () => {
    last += 1;
    const frame = maskedFrame(TEXT, Buffer.from(`rask ${last}\n${TEXT_128}`));
    for (const stream of streams) stream.listener.onBytes(Buffer.from(frame));
  });
}

/** One message at a time to a group of sessions. @param {Engine} engine @returns {Promise<Path>} */
async function publishToSessions(engine) {
  const store = engine.library.createChannelStore();
  const open = (/** @type {any} */ channel) => store.addToGroup("all", channel);
  const streams = await openSessions({ ...engine, connections: engine.members }, { open });
  return acknowledging(streams, streams.length, () => void store.publish("all", TEXT_128));
}

/**
 * Connections of sessions whose carriers are WebSockets.
 * @param {Engine} engine @param {import("../../dist/src/index.js").SessionHandlers<any, any>} handlers @param {string} [target]
 */
async function openSessions({ library, serve, connections }, handlers, target = "/") {
  const limits = { maxSessionsPerAddress: Number.POSITIVE_INFINITY };
  const streams = connect(
    serve((request) => library.openSession(request, handlers), limits),
    connections,
  );
  for (const stream of streams) stream.listener.onBytes(Buffer.from(upgradeRequest(target, SESSION)));
  await turn();
  return streams;
}

/**
 * A round of sixteen turns in which each session gets one record, and then acknowledges all as our client does.
 * @param {Stream[]} streams @param {number} operations of a turn @param {() => void} act @returns {Path}
 */
function acknowledging(streams, operations, act) {
  let received = 0;
  return {
    ends: streams,
    operations: RECORDS * operations,
    round: async () => {
      for (let i = 0; i < RECORDS; i++) {
        act();
        await turn();
      }
      received += RECORDS;
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

/**
 * @param {Engine} engine @param {string} request @param {number} burst
 * @param {import("../../dist/src/index.js").ChannelStoreOptions} [options] @returns {Promise<Path>}
 */
async function publish(engine, request, burst, options) {
  const { store, streams } = await joinGroup(engine, request, options);
  return {
    ends: streams,
    operations: streams.length * burst,
    round: async () => {
      for (let i = 0; i < burst; i++) void store.publish("all", TEXT_128);
      await turn();
    },
  };
}

/** A stream whose source has one part in each turn; each is a message to all members. @param {Engine} engine @returns {Promise<Path>} */
async function publishStream(engine) {
  const { store, streams } = await joinGroup(engine, upgradeRequest(), { clock: TURNS_ONLY });
  const [first] = streams;
  let wake = () => {};
  async function* source() {
    for (;;) {
      await new Promise((resolve) => (wake = () => resolve(undefined)));
      yield "a few words ";
    }
  }
  void store.publishStream("all", source(), { coalesceMs: 0 });
  await turn();
  return {
    ends: streams,
    operations: TURNS * streams.length,
    round: async () => {
      for (let i = 0; i < TURNS; i++) {
        const writes = first?.writes;
        wake();
        while (first?.writes === writes) await turn();
      }
    },
  };
}

/**
 * A store with one group, and the connections of its members.
 * @param {Engine} engine @param {string} request @param {import("../../dist/src/index.js").ChannelStoreOptions} [options]
 */
async function joinGroup({ library, serve, members }, request, options = {}) {
  const store = library.createChannelStore(options);
  const handler = serve((request) =>
    library.withChannel(request, (channel) => {
      if (!channel.isWebSocket) channel.send("hello");
      store.addToGroup("all", channel);
    }),
  );
  const streams = connect(handler, members);
  for (const stream of streams) stream.listener.onBytes(Buffer.from(request));
  await turn();
  return { store, streams };
}

/** The client's WebSocket, whose server is the path. */
class ClientSocket {
  /** @type {ClientSocket[]} */
  static all = [];
  written = 0;
  writes = 0;
  bufferedAmount = 0;
  readyState = 1;
  /** @type {(event: { data: unknown }) => void} */
  onmessage = () => {};
  constructor() {
    ClientSocket.all.push(this);
  }
  /** @param {string | Uint8Array} data */
  send(data) {
    this.written += data.length;
    this.writes++;
  }
  close() {}
}

/** Sessions of the client library, open. @param {Engine} engine */
async function openClients({ client, connections }) {
  const options = { WebSocket: ClientSocket, carriers: [/** @type {const} */ ("websocket")] };
  const clients = Array.from({ length: connections }, (_, i) => client.connect(`http://127.0.0.1:9090/${i}`, options));
  while (ClientSocket.all.length < connections) await turn();
  const sockets = ClientSocket.all.splice(0);
  const numbers = { resumed: false, received: 0, first: 1, heartbeatMs: 25_000, resumeMs: 60_000, version: 1 };
  for (const [i, socket] of sockets.entries()) {
    socket.onmessage({ data: `o${JSON.stringify({ session: `session-${i}`, ...numbers })}` });
  }
  return { clients, sockets };
}

/** Messages of 128 bytes to the client. It acknowledges by itself. @param {Engine} engine @returns {Promise<Path>} */
async function clientReceive(engine) {
  const { clients, sockets } = await openClients(engine);
  let length = 0;
  for (const connection of clients) {
    connection.onMessage((message) => {
      length += message.length;
    });
  }
  const data = `m${TEXT_128}`;
  return {
    ends: sockets,
    operations: RECORDS * sockets.length,
    round: async () => {
      const before = length;
      for (let i = 0; i < RECORDS; i++) {
        for (const socket of sockets) socket.onmessage({ data });
        await turn();
      }
      if (length - before !== RECORDS * sockets.length * TEXT_128.length) throw new Error("messages have not arrived");
    },
  };
}

/** Messages of 128 bytes of the client, which the server acknowledges after each 16. @param {Engine} engine @returns {Promise<Path>} */
async function clientSend(engine) {
  const { clients, sockets } = await openClients(engine);
  let sent = 0;
  return {
    ends: sockets,
    operations: RECORDS * sockets.length,
    round: async () => {
      for (let i = 0; i < RECORDS; i++) {
        for (const connection of clients) connection.send(TEXT_128);
        await turn();
      }
      sent += RECORDS;
      for (const socket of sockets) socket.onmessage({ data: `a${sent}` });
    },
  };
}

/** A round of twenty turns in which each stream reads once. @param {Stream[]} streams @param {Buffer} bytes @param {number} inFlight @returns {Path} */
function reading(streams, bytes, inFlight) {
  const copy = Buffer.alloc(bytes.length);
  /** @type {Buffer[]} */
  const reads = [];
  for (let at = 0; at < copy.length; at += READ_BYTES) reads.push(copy.subarray(at, at + READ_BYTES));
  return {
    ends: streams,
    operations: TURNS * streams.length * inFlight,
    round: async () => {
      for (let i = 0; i < TURNS; i++) {
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
