// @ts-check
// The load of a soak run: clients of every transport that number their messages and check the answers, with faults in
// between, and clients that only cause faults.
import { once } from "node:events";
import { Agent, get, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as rest } from "node:timers/promises";
import WebSocket from "ws";
import { Random } from "../dist/fuzz/random.js";
import { reset } from "../dist/fuzz/reset.js";

/** The time limit for an answer: a niced process may wait long for its core. */
const PATIENCE_MS = 120_000;
const KIB = 1024;

/** Shared by all clients of a run. */
export class World {
  /** Numbers of correct answers, by transport, and of faults. @type {Record<string, number>} */
  counts = {};
  /** @type {string[]} */
  failures = [];
  isOver = false;

  /** @param {number} port */
  constructor(port) {
    this.port = port;
    this.agent = new Agent({ keepAlive: true, maxSockets: 20 });
  }

  /** @param {string} what */
  count(what, times = 1) {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  /** @param {string} what */
  fail(what) {
    if (this.failures.length < 20) this.failures.push(what);
  }

  close() {
    this.agent.destroy();
  }
}

/** @typedef {(world: World, random: Random) => Promise<void>} Conversation one, from its first byte to its last */

/** The conversations, each with its number of clients. @type {readonly [name: string, clients: number, talk: Conversation][]} */
export const CLIENTS = [
  ["websocket", 12, (world, random) => webSocket(world, random, "/echo")],
  ["deflate", 6, (world, random) => webSocket(world, random, "/deflate")],
  ["context", 6, (world, random) => webSocket(world, random, "/context")],
  ["events", 12, events],
  ["stream", 8, stream],
  ["lines", 4, lines],
  ["poll", 10, poll],
  ["body", 10, body],
  ["half-close", 4, halfClose],
  ["fault", 10, fault],
];

/**
 * Runs clients of all kinds until the world is over.
 * @param {World} world @param {number} seed
 */
export async function load(world, seed) {
  const all = CLIENTS.flatMap(([name, clients, talk], kind) =>
    Array.from({ length: clients }, async (_, client) => {
      const random = new Random((seed ^ Math.imul(kind * 1000 + client + 1, 0x9e3779b1)) >>> 0);
      while (!world.isOver && world.failures.length === 0) {
        await talk(world, random).catch((error) =>
          world.fail(`${name}: ${error instanceof Error ? error.stack : error}`),
        );
        await rest(random.below(50));
      }
    }),
  );
  await Promise.all(all);
}

/** Returns a length: mostly short, sometimes far more than a socket accepts at once. @param {Random} random */
function text(random) {
  const length = random.chance(0.9)
    ? random.below(200)
    : random.chance(0.9)
      ? random.below(10 * KIB)
      : random.below(200 * KIB);
  return random.chance(0.5)
    ? "x".repeat(length)
    : Array.from({ length: length >> 3 }, () => random.next().toString(36).slice(2, 10)).join("");
}

/** @param {World} world @param {Random} random @param {string} path */
async function webSocket(world, random, path) {
  const what = path === "/echo" ? "websocket" : path.slice(1);
  const socket = new WebSocket(`ws://127.0.0.1:${world.port}${path}`, { perMessageDeflate: path !== "/echo" });
  /** @type {import("node:net").Socket | undefined} */
  let tcp;
  socket.on("upgrade", (response) => (tcp = response.socket));
  /** @type {{ data: string, isBinary: boolean }[]} */
  const owed = [];
  let onAnswer = () => {};
  let wrong = "";
  socket.on("message", (data, isBinary) => {
    const next = owed.shift();
    if (next === undefined || next.isBinary !== isBinary || next.data !== String(data)) {
      wrong ||= `${path}: ${String(data).slice(0, 40)} in place of ${next?.data.slice(0, 40)}`;
    } else world.count(what);
    onAnswer();
  });
  const closed = once(socket, "close");
  await soon(once(socket, "open"), `${path}: the handshake`);
  let number = 0;
  for (let bursts = 1 + random.below(30); bursts > 0 && !world.isOver; bursts--) {
    for (let count = 1 + random.below(8); count > 0; count--) {
      const message = { data: `${number++} ${text(random)}`, isBinary: random.chance(0.3) };
      owed.push(message);
      socket.send(message.isBinary ? Buffer.from(message.data) : message.data);
    }
    if (random.chance(0.05)) {
      // Reads slowly.
      world.count("slow");
      socket.pause();
      await rest(random.below(300));
      socket.resume();
    }
    const all = new Promise((resolve) => {
      onAnswer = () => void ((owed.length === 0 || wrong !== "") && resolve(undefined));
      onAnswer();
    });
    await soon(Promise.race([all, closed]), `${path}: the answer to message ${number - owed.length}`);
    if (wrong !== "" || owed.length > 0) throw new Error(wrong || `${path}: closed with ${owed.length} answers owed`);
    await rest(random.below(20));
  }
  const how = random.below(4);
  if (how === 0) {
    world.count("reset");
    // Leaves in the middle of a message.
    socket.send("x".repeat(random.below(100 * KIB)));
    if (tcp !== undefined) reset(tcp);
  } else if (how === 1) {
    world.count("gone");
    socket.terminate();
  } else {
    socket.close(4000 + random.below(999), "bye");
  }
  await soon(closed, `${path}: the close`);
}

/** @param {World} world @param {Random} random */
async function events(world, random) {
  const wanted = 1 + random.below(100);
  let next = 1;
  await read(
    world,
    random,
    "/events",
    (part, leave) => {
      const match = /^id: (\d+)\ndata: event (\d+)$/.exec(part);
      if (Number(match?.[1]) !== next || Number(match?.[2]) !== next)
        throw new Error(`/events: ${part} in place of ${next}`);
      world.count("events");
      if (next++ === wanted) leave();
    },
    "\n\n",
  );
}

/** @param {World} world @param {Random} random */
async function stream(world, random) {
  const count = 1 + random.below(200);
  // One in three leaves before the end.
  const wanted = random.chance(0.3) ? 1 + random.below(count) : count + 1;
  let next = 1;
  const ended = await read(world, random, `/stream?count=${count}`, (part, leave) => {
    if (Number(part) !== next) throw new Error(`/stream: ${part} in place of ${next}`);
    world.count("stream");
    if (next++ === wanted) leave();
  });
  if (ended && next !== count + 1) throw new Error(`/stream: ${next - 1} lines of ${count}`);
}

/** Reads slowly a body that is far larger than any buffer. @param {World} world @param {Random} random */
async function lines(world, random) {
  const count = random.below(50_000);
  let next = 1;
  const ended = await read(world, random, `/lines?count=${count}`, (part) => {
    if (Number(part) !== next++) throw new Error(`/lines: ${part} in place of ${next - 1}`);
  });
  if (ended && next !== count + 1) throw new Error(`/lines: ${next - 1} lines of ${count}`);
  world.count("lines", next - 1);
}

/**
 * Sends a GET and passes on the parts of its response as they arrive, sometimes slowly. Returns true if the response was complete.
 * @param {World} world @param {Random} random @param {string} path
 * @param {(part: string, leave: () => void) => void} onPart
 */
async function read(world, random, path, onPart, separator = "\n") {
  const headers = path === "/events" ? { Accept: "text/event-stream" } : {};
  const asked = get({ port: world.port, host: "127.0.0.1", path, headers, agent: false });
  const [response] = await soon(once(asked, "response"), `${path}: the head`);
  let isLeft = false;
  let rest = "";
  const leave = () => {
    isLeft = true;
    world.count(random.chance(0.5) ? "gone" : "reset");
    reset(response.socket);
  };
  response.setEncoding("utf8");
  const ended = new Promise((resolve, reject) => {
    response.on("data", (/** @type {string} */ text) => {
      if (isLeft) return;
      const parts = (rest + text).split(separator);
      rest = parts.pop() ?? "";
      try {
        for (const part of parts) if (!isLeft) onPart(part, leave);
      } catch (error) {
        reject(error);
        return;
      }
      if (world.isOver) leave();
      else if (random.chance(path.startsWith("/lines") ? 0.0002 : 0.01)) {
        world.count("slow");
        response.pause();
        setTimeout(() => response.resume(), random.below(500));
      }
    });
    response.on("close", () => resolve(!isLeft));
    response.on("error", (/** @type {Error} */ error) => isLeft || reject(error));
  });
  return soon(ended, `${path}: the end`);
}

/** A client that polls, each number once and in order. @param {World} world @param {Random} random */
async function poll(world, random) {
  const client = random.next().toString(36).slice(2);
  for (let next = 1, last = 1 + random.below(50); next <= last && !world.isOver; next++) {
    const { text } = await ask(world, `/poll?client=${client}`);
    if (text !== String(next)) throw new Error(`/poll: ${text} in place of ${next}`);
    world.count("poll");
  }
  await ask(world, `/done?client=${client}`);
}

/** @param {World} world @param {Random} random */
async function body(world, random) {
  const sent = Buffer.from(text(random) + "é");
  const { text: received } = await ask(world, "/body", sent, random.chance(0.5));
  if (received !== String(sent)) throw new Error(`/body: ${received.length} characters of ${sent.length} bytes`);
  world.count("body");
}

/**
 * @param {World} world @param {string} path @param {Buffer} [sent]
 * @returns {Promise<{ text: string }>}
 */
async function ask(world, path, sent, isChunked = false) {
  for (let attempt = 0; ; attempt++) {
    const asked = request({
      port: world.port,
      host: "127.0.0.1",
      path,
      method: sent === undefined ? "GET" : "POST",
      agent: world.agent,
    });
    try {
      if (sent === undefined) asked.end();
      else if (isChunked) {
        for (let at = 0; at < sent.length; at += 7000) asked.write(sent.subarray(at, at + 7000));
        asked.end();
      } else asked.end(sent);
      const [response] = await soon(once(asked, "response"), `${path}: the head`);
      let text = "";
      response.setEncoding("utf8");
      for await (const part of response) text += part;
      if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`);
      return { text };
    } catch (error) {
      // RFC 9112 §9.5: an idle connection may be closed while a request is on its way to it.
      const isRace = asked.reusedSocket && /** @type {NodeJS.ErrnoException} */ (error).code === "ECONNRESET";
      // All idle connections may be as old as this one.
      if (!isRace || attempt === 20) throw error;
    }
  }
}

/** Sends a request, ends its side, and still gets the whole answer. @param {World} world @param {Random} random */
async function halfClose(world, random) {
  const sent = text(random).replace(/[^a-z0-9]/g, "");
  const socket = connect({ port: world.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.end(`POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: ${sent.length}\r\n\r\n${sent}`);
  let received = "";
  socket.setEncoding("latin1").on("data", (part) => (received += part));
  await soon(once(socket, "close"), "/body: the end of a half-closed connection");
  if (!received.startsWith("HTTP/1.1 200 ") || !received.endsWith(`\r\n\r\n${sent}`)) {
    throw new Error(`/body: half-closed, ${received.length} characters for ${sent.length}`);
  }
  world.count("half-close");
}

const UPGRADE =
  "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** Requests and frames that are never completed. */
const BEGINNINGS = [
  "",
  "GET / HT",
  "GET /parked HTTP/1.1\r\nHost: a\r\n\r\n",
  "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf",
  "POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
  "nonsense\r\n\r\n",
  "GET /lines?count=1000000 HTTP/1.1\r\nHost: a\r\n\r\n",
  "GET /lines?count=10000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(50),
  "GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n",
  `GET /echo HTTP/1.1\r\n${UPGRADE}`,
  `GET /echo HTTP/1.1\r\n${UPGRADE}\x81\xfe\x01`,
  `GET /echo HTTP/1.1\r\n${UPGRADE}\x01\x80\0\0\0\0`,
  `GET /echo HTTP/1.1\r\n${UPGRADE}\x81\x02hi`,
  `GET /deflate HTTP/1.1\r\n${UPGRADE}\xc1\x81\0\0\0\0\x07`,
];

/** A connection that never reads, sends too little or too much, and then ends or is reset. @param {World} world @param {Random} random */
async function fault(world, random) {
  const socket = connect({ port: world.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  const closed = once(socket, "close");
  await soon(Promise.race([once(socket, "connect"), closed]), "a connection");
  socket.write(random.pick(BEGINNINGS), "latin1");
  await rest(random.below(200));
  const how = random.pick(["reset", "gone", "half-open"]);
  world.count(how);
  if (how === "reset") reset(socket);
  else if (how === "gone") socket.destroy();
  else {
    // Reads in the end, completely or for a while.
    socket.end();
    socket.resume();
    await Promise.race([closed, rest(random.below(1000))]);
    socket.destroy();
  }
  await soon(closed, "the end of a faulty connection");
}

/**
 * @template T
 * @param {Promise<T>} promise @param {string} what
 * @returns {Promise<T>}
 */
function soon(promise, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), PATIENCE_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
