// @ts-check
// What the generators in JavaScript share: connections over which the same request is sent again whenever its reply is
// complete. Replies are counted in bytes, not parsed: the first one of each connection is checked, and the others have
// its length. All sockets read into one buffer (`onread`), which spares an allocation and a stream event per read.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openWindow } from "../lib/cpu.js";
import { frameLength } from "../lib/frames.js";

const READ_BYTES = 65_536;

/**
 * @typedef {object} Conversation
 * @property {number} port
 * @property {Buffer} request
 * @property {number} inFlight requests of one connection that wait for their reply at the same time
 * @property {Buffer} [upgrade] sent first; answered by a head that is not counted
 * @property {readonly Buffer[]} [prelude] what a protocol above WebSocket says first: each is sent when a frame has come,
 *   and the work begins with the frame after the last
 * @property {(bytes: Buffer) => number} replyLength checks that `bytes` begins with a reply and tells its length; 0 when
 *   it is not complete
 */

/** Completed operations of all conversations of this process. */
let operations = 0;

/**
 * Opens one connection and keeps it busy; resolves when the first reply has come.
 * @param {Conversation} conversation
 * @returns {Promise<void>}
 */
function converse({ port, request, inFlight, upgrade, prelude, replyLength }) {
  return new Promise((resolve, reject) => {
    const burst = Buffer.concat(Array.from({ length: inFlight }, () => request));
    const readBuffer = Buffer.allocUnsafe(READ_BYTES);
    /** What came before the first reply was complete. */
    let early = Buffer.alloc(0);
    let length = 0;
    let upgrading = upgrade !== undefined;
    const greetings = prelude === undefined ? [] : [...prelude, burst];
    let received = 0;

    const socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback(bytes) {
          if (length === 0) begin(bytes);
          else count(bytes);
          return true;
        },
      },
    });
    socket.on("connect", () => socket.write(upgrade ?? burst));
    socket.on("error", reject);
    socket.on("close", () => fail(new Error("the server closed a connection")));

    /** @param {number} bytes */
    function count(bytes) {
      received += bytes;
      const complete = Math.floor(received / length);
      if (complete === 0) return;
      received -= complete * length;
      operations += complete;
      socket.write(complete === inFlight ? burst : burst.subarray(0, complete * request.length));
    }

    /** @param {number} bytes */
    function begin(bytes) {
      early = Buffer.concat([early, readBuffer.subarray(0, bytes)]);
      if (upgrading) {
        const end = early.indexOf("\r\n\r\n");
        if (end === -1) return;
        if (!early.toString("latin1").startsWith("HTTP/1.1 101 "))
          fail(new Error(`not upgraded: ${early.toString("latin1")}`));
        early = early.subarray(end + 4);
        upgrading = false;
        if (greetings.length === 0) socket.write(burst);
      }
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
      count(early.length);
    }

    /** @param {unknown} error */
    function fail(error) {
      console.error(error);
      process.exit(1);
    }
  });
}

/**
 * Runs `connections` equal conversations, warms up, measures one window and reports it.
 * @param {{ serverPid: number, seconds: number, warmupSeconds: number, connections: number }} config
 * @param {Conversation} conversation
 */
export async function run({ serverPid, seconds, warmupSeconds, connections }, conversation) {
  await Promise.all(Array.from({ length: connections }, () => converse(conversation)));
  await sleep(warmupSeconds * 1000);
  const closeWindow = openWindow(serverPid);
  operations = 0;
  await sleep(seconds * 1000);
  const completed = operations;
  process.send?.({ operations: completed, ...closeWindow() }, () => process.exit());
}
