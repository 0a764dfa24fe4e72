// @ts-check
// The parts of an attack: raw connections from one address, counted and bounded in time.
import { connect } from "node:net";
import { setTimeout as rest } from "node:timers/promises";
import { maskedFrame, upgradeRequest } from "../../bench/lib/frames.js";
import { Random } from "../../dist/fuzz/random.js";

export { maskedFrame, upgradeRequest };

/** @typedef {import("node:net").Socket} Socket */

/**
 * One attack. `run` resolves when the attack is complete, or when `attacker.isOver`.
 * @typedef {object} Attack
 * @property {string} name
 * @property {string} about one line for the table
 * @property {(attacker: Attacker) => Promise<void>} run
 */

export const MIB = 1 << 20;
export const TEXT = 1;
export const BINARY = 2;
/** Number of connections that are opened at the same time. */
const OPENING = 50;
/** The interval at which attacks check whether they are over. */
const STEP_MS = 5;

export class Attacker {
  /** Counts of its actions, by name. @type {Record<string, number>} */
  counts = {};
  #end;
  /** @type {Set<Socket>} */
  #sockets = new Set();

  /** @param {number} port @param {string} address @param {number} ms @param {number} seed */
  constructor(port, address, ms, seed) {
    this.port = port;
    this.address = address;
    this.ms = ms;
    this.random = new Random(seed);
    this.#end = performance.now() + ms;
  }

  get isOver() {
    return performance.now() >= this.#end;
  }

  /** @param {string} what */
  count(what, times = 1) {
    this.counts[what] = (this.counts[what] ?? 0) + times;
  }

  /** Destroys all its connections. */
  end() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Resolves when the attack is over. */
  async hold() {
    while (!this.isOver) await rest(50);
  }

  /**
   * Opens a connection and sends `bytes`. The connection discards what it reads, and tolerates resets.
   * @param {string | Uint8Array} [bytes]
   * @returns {Promise<Socket>}
   */
  open(bytes) {
    return new Promise((resolve) => {
      const socket = connect({ port: this.port, host: "127.0.0.1", localAddress: this.address, noDelay: true });
      this.#sockets.add(socket);
      socket.on("error", () => this.count("refused or cut"));
      socket.on("close", () => {
        this.#sockets.delete(socket);
        resolve(socket);
      });
      socket.on("data", (/** @type {Buffer} */ data) => this.count("bytes read", data.length));
      socket.on("connect", () => {
        this.count("connections");
        if (bytes !== undefined) this.send(socket, bytes);
        resolve(socket);
      });
    });
  }

  /** Opens a WebSocket and does not wait for the answer. @param {string} path @param {string[]} [fields] */
  openWebSocket(path, fields) {
    return this.open(upgradeRequest(path, fields));
  }

  /** Opens a session on a WebSocket. */
  openSession(path = "/session") {
    return this.openWebSocket(path, ["Sec-WebSocket-Protocol: unichannel.v1"]);
  }

  /** Does `work` `times` times, some at once, until the attack is over. @param {number} times @param {(index: number) => Promise<unknown>} work */
  async many(times, work) {
    let next = 0;
    const one = async () => {
      while (next < times && !this.isOver) await work(next++);
    };
    await Promise.all(Array.from({ length: Math.min(OPENING, times) }, one));
  }

  /** @param {Socket} socket @param {string | Uint8Array} bytes */
  send(socket, bytes) {
    if (!socket.writable) return false;
    this.count("bytes sent", bytes.length);
    return socket.write(bytes);
  }

  /** Sends as fast as the server accepts it, until the attack or the connection is over. @param {Socket} socket @param {() => string | Uint8Array} next */
  async flood(socket, next) {
    while (!this.isOver && socket.writable) {
      if (!this.send(socket, next())) await drained(socket);
      else await rest(0);
    }
  }

  /** Sends a piece each `ms`, until the attack or the connection is over. @param {Socket} socket @param {number} ms @param {() => string | Uint8Array} next */
  async trickle(socket, ms, next) {
    while (!this.isOver && socket.writable) {
      this.send(socket, next());
      await rest(ms);
    }
  }

  /**
   * Opens sessions on polls, over one connection, and returns their tokens.
   * @param {number} count @param {string} path
   * @returns {Promise<string[]>}
   */
  async tokens(count, path) {
    const socket = await this.open();
    /** @type {string[]} */
    const tokens = [];
    let text = "";
    socket.on("data", (data) => {
      text += data.toString("latin1");
      tokens.push(...[...text.matchAll(/"session":"([^"]+)","resumed":false/g)].map(([, token]) => token ?? ""));
      text = text.slice(Math.max(text.lastIndexOf('"resumed"'), 0)).slice(-200);
    });
    this.send(socket, `GET ${path}?mode=poll HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(count));
    for (let waited = 0; tokens.length < count && waited < 3000 && !this.isOver; waited += STEP_MS) await rest(STEP_MS);
    socket.destroy();
    this.count("sessions", tokens.length);
    return tokens;
  }
}

/** @param {Socket} socket */
function drained(socket) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, 1000);
    socket.on("drain", done);
    socket.on("close", done);
    function done() {
      clearTimeout(timer);
      socket.off("drain", done).off("close", done);
      resolve(undefined);
    }
  });
}

/** The head of a frame that announces `length` bytes, masked with zeroes. @param {number} opcode @param {number} length */
export function frameHead(opcode, length, isLast = true) {
  const head = Buffer.alloc(14);
  head[0] = (isLast ? 0x80 : 0) | opcode;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

/** A frame of less than 126 bytes, masked with zeroes. @param {number} opcode @param {Uint8Array} payload */
export function smallFrame(opcode, payload, isLast = true) {
  return Buffer.concat([Buffer.from([(isLast ? 0x80 : 0) | opcode, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
}
