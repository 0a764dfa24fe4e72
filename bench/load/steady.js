// @ts-check
// Shared by the generators in JavaScript: connections that send the same request again whenever its reply is complete. Replies are counted in bytes, not
// parsed: the first one of each connection is checked, and the others have its length. After the work each connection must have as many replies as
// requests. Every eighth turn of a connection is timed.
import { frameLength } from "../lib/frames.js";
import { fail, measure, unequal } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { openSocket, openWebSocket } from "../lib/web-socket.js";

/**
 * @typedef {object} Conversation
 * @property {number} port
 * @property {Buffer} request
 * @property {number} inFlight requests of one connection that wait for their reply at the same time
 * @property {{ path?: string, fields?: readonly string[] }} [webSocket] the handshake that comes first
 * @property {readonly Buffer[]} [prelude] the first frames of a protocol above WebSocket: each is sent after a received frame,
 *   and the work begins with the frame after the last
 * @property {(bytes: Buffer) => number} replyLength checks that `bytes` begins with a reply and returns its length; 0 if
 *   it is not complete
 */

/** One in this many turns is timed: reading the clock twice in each would cost some percent of a small echo. */
const TIMED = 8;

/** Completed operations of all conversations of this process. */
let operations = 0;
let turns = 0;
let isOver = false;
/** How many replies each connection waits for: below zero if it has received too many. @type {(() => number)[]} */
const waits = [];

/**
 * Opens one connection and keeps it busy; resolves when the first reply has arrived.
 * @param {Conversation} conversation
 * @returns {Promise<void>}
 */
function converse({ port, request, inFlight, webSocket, prelude, replyLength }) {
  return new Promise((resolve) => {
    const burst = Buffer.concat(Array.from({ length: inFlight }, () => request));
    /** Bytes received before the first reply was complete. */
    let early = Buffer.alloc(0);
    let length = 0;
    const greetings = prelude === undefined ? [] : [...prelude, burst];
    let received = 0;
    /** Until the work ends, each reply is followed by the next request. */
    let waiting = inFlight;
    waits.push(() => waiting);
    /** The time of the request whose reply is timed. @type {number | undefined} */
    let timedAt;
    /** Number of replies due before that one. */
    let ahead = 0;

    if (webSocket === undefined) {
      const socket = openSocket({ port }, (bytes) => take(bytes, socket));
      socket.on("connect", () => socket.write(burst));
    } else {
      openWebSocket({ port, ...webSocket }, take).then((socket) => greetings.length > 0 || socket.write(burst));
    }

    /** @param {Buffer} bytes @param {import("node:net").Socket} socket */
    function take(bytes, socket) {
      if (length === 0) begin(bytes, socket);
      else count(bytes.length, socket);
    }

    /** @param {number} bytes @param {import("node:net").Socket} socket */
    function count(bytes, socket) {
      received += bytes;
      const complete = Math.floor(received / length);
      if (complete === 0) return;
      if (complete > inFlight) fail(new Error("a connection has more replies than requests"));
      received -= complete * length;
      operations += complete;
      if (isOver) {
        waiting -= complete;
        return;
      }
      if (timedAt === undefined) {
        // A message sent now follows all those in flight.
        if (++turns % TIMED === 0) {
          timedAt = performance.now();
          ahead = inFlight - complete;
        }
      } else {
        ahead -= complete;
        if (ahead < 0) {
          tookSince(timedAt);
          timedAt = undefined;
        }
      }
      socket.write(complete === inFlight ? burst : burst.subarray(0, complete * request.length));
    }

    /** @param {Buffer} bytes @param {import("node:net").Socket} socket */
    function begin(bytes, socket) {
      early = Buffer.concat([early, bytes]);
      for (let next = greetings[0]; next !== undefined; next = greetings[0]) {
        const greeted = frameLength(early);
        if (greeted === 0) return;
        early = early.subarray(greeted);
        socket.write(next);
        greetings.shift();
      }
      try {
        length = replyLength(early);
      } catch (error) {
        fail(error);
      }
      if (length === 0) return;
      resolve();
      count(early.length, socket);
    }
  });
}

/**
 * Runs `connections` equal conversations, warms up, measures one window and reports it.
 * @param {import("../lib/generator.js").LoadConfig} config
 * @param {Conversation} conversation
 */
export async function run(config, conversation) {
  await Promise.all(Array.from({ length: config.connections }, () => converse(conversation)));
  await measure(config, () => operations, {
    stop() {
      isOver = true;
    },
    missing: () => unequal(waits.map((waiting) => waiting())),
  });
}
