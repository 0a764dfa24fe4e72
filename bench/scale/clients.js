// @ts-check
// Many clients in one process. A client is a raw socket and one place in some arrays: frames are read in the buffer of the read, in which
// nearly all of them are whole. They answer pings. When a connection is lost they come back as PROTOCOL.md says: once at once, then
// after a delay with full jitter, to the processes in turn.
import { connect } from "node:net";
import { maskedFrame, TEXT, upgradeRequest } from "../lib/frames.js";
import { answer } from "./child.js";
import { now } from "./clock.js";
import { settledMemory } from "./memory.js";
import { ECHOED, PUBLISHED, sequenceAt } from "./messages.js";

/** As in src/client/carrier-selector.ts and limits.ts. */
const FIRST_MS = 500;
const CAP_MS = 30_000;
/**
 * Connections of one source address. Linux looks for a free port in one half of the range first, and there at even ones: 7,000 by default. When
 * these are taken, a connection costs the client 0.5 ms instead of 0.07.
 */
const PER_ADDRESS = 5000;
/** An attempt to come back that is not open after this time has failed. */
const ATTEMPT_MS = 10_000;
/** The same for the first attempt, which is not measured: a machine that is busy may be slow. */
const FIRST_ATTEMPT_MS = 60_000;
/** Connections that one process opens at the same time. */
const IN_FLIGHT = 150;
/** The interval of the timer that sends the messages that are due. */
const TICK_MS = 10;
const PING = 9;
const PONG = 10;

/** `number`: of this process, for its source addresses. @type {{ number: number, port: number, capacity: number }} */
const { number, port, capacity } = JSON.parse(process.argv[2] ?? "{}");
const HANDSHAKE = Buffer.from(upgradeRequest(), "latin1");
const EMPTY_PONG = maskedFrame(PONG, Buffer.alloc(0));
const ECHO = maskedFrame(TEXT, Buffer.from("e".padEnd(32, " unichannel")));

/** All sockets read into this one; the next read overwrites it. */
const readBuffer = Buffer.allocUnsafe(65_536);

/** Where clients go that have lost their connection. */
let ports = [port];
let turn = number;
/** @type {(import("node:net").Socket | undefined)[]} */
const sockets = new Array(capacity);
const isOpen = new Uint8Array(capacity);
/** The time at which an open connection was lost; 0 before. */
const lostAt = new Float64Array(capacity);
/** The time from the loss until the client was back. */
const awayMs = new Float64Array(capacity);
/** Attempts that are not open, and the times at which they began. @type {Map<number, number>} */
const opening = new Map();
/** Beginnings of answers and frames whose end has not arrived. @type {Map<number, Buffer>} */
const held = new Map();

/** The number of the last published message of each client, and the time at which it came. */
const sequences = new Int32Array(capacity).fill(-1);
const arrivals = new Float64Array(capacity);
/** The time at which a client sent its message; 0 once the answer has come. */
const sentAt = new Float64Array(capacity);
/** @type {number[]} */
let echoMs = [];

const counts = { wanted: 0, open: 0, pings: 0, lost: 0, back: 0, failed: 0, repeated: 0, sent: 0, answered: 0 };
/** The last published message, the number of clients that have it, and the number that somebody waits for. */
let sequence = -1;
let received = 0;
let least = 1;
/** The time at which the last lost client was back. */
let backAt = 0;
/** Calls that wait for a change, each until its condition holds. @type {Set<() => void>} */
const checks = new Set();

/** @param {number} client @param {number} toPort @param {number} attempt in a row @param {(() => void) | undefined} onOpen */
function open(client, toPort, attempt, onOpen) {
  const socket = connect({
    ...{ port: toPort, host: "127.0.0.1", noDelay: true },
    localAddress: `127.1.${number}.${1 + Math.floor(client / PER_ADDRESS)}`,
    onread: {
      buffer: readBuffer,
      callback(length) {
        read(client, length, onOpen);
        return true;
      },
    },
  });
  sockets[client] = socket;
  opening.set(client, now());
  socket.on("error", ignore);
  socket.on("close", () => closed(client, attempt, onOpen));
  socket.write(HANDSHAKE);
}

/** A close follows. */
function ignore() {}

setInterval(() => {
  const time = now();
  for (const [client, begin] of opening) {
    const limit = lostAt[client] === 0 ? FIRST_ATTEMPT_MS : ATTEMPT_MS;
    if (time - begin > limit) sockets[client]?.destroy();
  }
}, 1000).unref();

/** @param {number} client @param {number} attempt @param {(() => void) | undefined} onOpen */
function closed(client, attempt, onOpen) {
  const wasOpen = isOpen[client] === 1;
  held.delete(client);
  opening.delete(client);
  if (wasOpen) {
    isOpen[client] = 0;
    lostAt[client] = now();
    counts.open -= 1;
    counts.lost += 1;
  } else counts.failed += 1;
  const next = wasOpen ? 1 : attempt + 1;
  const delayMs = wasOpen ? 0 : Math.random() * Math.min(CAP_MS, FIRST_MS * 2 ** (attempt - 1));
  const toPort = Number(ports[turn++ % ports.length]);
  if (delayMs === 0) open(client, toPort, next, undefined);
  else setTimeout(open, delayMs, client, toPort, next, wasOpen ? undefined : onOpen);
}

/** @param {number} client @param {number} length @param {(() => void) | undefined} onOpen */
function read(client, length, onOpen) {
  const before = held.get(client);
  let bytes = readBuffer;
  let end = length;
  if (before !== undefined) {
    bytes = Buffer.concat([before, readBuffer.subarray(0, length)]);
    end = bytes.length;
  }
  const rest = isOpen[client] === 1 ? frames(client, bytes, 0, end) : head(client, bytes, end, onOpen);
  if (rest < end) held.set(client, Buffer.from(bytes.subarray(rest, end)));
  else if (before !== undefined) held.delete(client);
}

/** The answer to the handshake. Returns where the rest begins. @param {number} client @param {Buffer} bytes @param {number} end @param {(() => void) | undefined} onOpen */
function head(client, bytes, end, onOpen) {
  const text = bytes.toString("latin1", 0, end);
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return 0;
  if (!text.startsWith("HTTP/1.1 101 ")) {
    sockets[client]?.destroy();
    return end;
  }
  isOpen[client] = 1;
  opening.delete(client);
  counts.open += 1;
  if (lostAt[client] !== 0) {
    backAt = now();
    awayMs[client] = backAt - Number(lostAt[client]);
    lostAt[client] = 0;
    counts.back += 1;
  }
  onOpen?.();
  changed();
  return frames(client, bytes, headEnd + 4, end);
}

/** Frames of a server. Returns where the first incomplete one begins. @param {number} client @param {Buffer} bytes @param {number} begin @param {number} end */
function frames(client, bytes, begin, end) {
  let at = begin;
  while (at + 2 <= end) {
    let payload = at + 2;
    let length = Number(bytes[at + 1]);
    if (length === 127) throw new Error("a frame that is longer than any message of this run");
    if (length === 126) {
      if (at + 4 > end) break;
      length = bytes.readUInt16BE(payload);
      payload += 2;
    }
    if (payload + length > end) break;
    frame(client, Number(bytes[at]) & 0x0f, bytes, payload, length);
    at = payload + length;
  }
  return at;
}

/** @param {number} client @param {number} opcode @param {Buffer} bytes @param {number} at @param {number} length */
function frame(client, opcode, bytes, at, length) {
  if (opcode === PING) {
    counts.pings += 1;
    const pong = length === 0 ? EMPTY_PONG : maskedFrame(PONG, Buffer.from(bytes.subarray(at, at + length)));
    sockets[client]?.write(pong);
  } else if (opcode === TEXT && bytes[at] === PUBLISHED) receive(client, sequenceAt(bytes, at));
  else if (opcode === TEXT && bytes[at] === ECHOED) echoed(client);
}

/** @param {number} client @param {number} found the number of the message */
function receive(client, found) {
  if (found !== sequence) {
    sequence = found;
    received = 0;
  }
  if (sequences[client] === found) {
    counts.repeated += 1;
    return;
  }
  sequences[client] = found;
  arrivals[client] = now();
  received += 1;
  if (received >= least) changed();
}

/** @param {number} client */
function echoed(client) {
  if (sentAt[client] === 0) counts.repeated += 1;
  else {
    echoMs.push(now() - Number(sentAt[client]));
    sentAt[client] = 0;
    counts.answered += 1;
  }
}

function changed() {
  for (const check of checks) check();
}

/** Resolves when `holds` does. @param {() => boolean} holds @returns {Promise<void>} */
function until(holds) {
  return new Promise((resolve) => {
    const check = () => {
      if (!holds()) return;
      checks.delete(check);
      resolve();
    };
    checks.add(check);
    check();
  });
}

/** Opens so many more, some at a time. @param {{ count: number }} question */
async function openMore({ count }) {
  const first = counts.wanted;
  counts.wanted += count;
  let next = first;
  const one = () => {
    if (next < counts.wanted) open(next++, port, 1, one);
  };
  for (let i = 0; i < IN_FLIGHT; i++) one();
  await until(() => counts.open === counts.wanted);
  return counts;
}

/** The times at which all clients have received the message; fails when the time is over. @param {{ sequence: number, patienceMs: number }} question */
async function receivedAll({ sequence: wanted, patienceMs }) {
  least = counts.wanted;
  const all = until(() => sequence === wanted && received >= counts.wanted);
  const timer = new Promise((resolve) => setTimeout(resolve, patienceMs, "late"));
  if ((await Promise.race([all, timer])) === "late") {
    throw new Error(`message ${wanted} has reached ${sequence === wanted ? received : 0} of ${counts.wanted} clients`);
  }
  return { arrivals: arrivals.slice(0, counts.wanted), repeated: counts.repeated, pings: counts.pings };
}

/** The time at which one client has received the message. @param {{ sequence: number }} question */
async function receivedOne({ sequence: wanted }) {
  least = 1;
  await until(() => sequence === wanted);
  return { arrivedAt: Math.max(...arrivals) };
}

/** Each client sends one message in each interval, evenly spread. @param {{ seconds: number, intervalSeconds: number }} question */
async function exchange({ seconds, intervalSeconds }) {
  echoMs = [];
  const { sent, answered } = counts;
  const begin = now();
  let due = 0;
  await new Promise((resolve) => {
    const timer = setInterval(() => {
      const elapsed = (now() - begin) / 1000;
      const target = Math.floor((Math.min(elapsed, seconds) / intervalSeconds) * counts.wanted);
      for (; due < target; due++) {
        const client = due % counts.wanted;
        // One that still waits for its answer, or for its connection, sends nothing.
        if (sentAt[client] !== 0 || isOpen[client] === 0) continue;
        sentAt[client] = now();
        counts.sent += 1;
        sockets[client]?.write(ECHO);
      }
      if (elapsed < seconds) return;
      clearInterval(timer);
      resolve(undefined);
    }, TICK_MS);
  });
  const end = now() + 20_000;
  while (counts.answered - answered < counts.sent - sent && now() < end)
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  return { sent: counts.sent - sent, answered: counts.answered - answered, latencies: Float64Array.from(echoMs) };
}

answer({
  open: openMore,
  receivedAll,
  receivedOne,
  exchange,
  counts: () => counts,
  /** Clients that lose their connection go to these ports, in turn. */
  ports: (/** @type {{ ports: number[] }} */ question) => {
    ports = question.ports;
  },
  /** When all clients that lost their connection are back, so many as are expected. */
  async back(/** @type {{ lost: number }} */ { lost }) {
    await until(() => counts.lost >= lost && counts.open === counts.wanted);
    return { ...counts, backAt, awayMs: awayMs.filter((ms) => ms > 0) };
  },
  memory: settledMemory,
});
