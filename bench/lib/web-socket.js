// @ts-check
// WebSockets of the generators over raw sockets: only the code that a row needs, so that the server is the slower side.
import { connect } from "node:net";
import { CLOSE, frameLength, headerLength, maskedFrame, TEXT, upgradeRequest } from "./frames.js";
import { closedByServer, fail } from "./generator.js";

/**
 * All sockets read into this one (`onread`), which saves an allocation and a stream event for each read. The next read
 * overwrites it.
 */
const readBuffer = Buffer.allocUnsafe(65_536);

/**
 * @typedef {object} Where
 * @property {number} port
 * @property {string | undefined} [localAddress]
 * @property {(error: unknown) => void} [onError] ends the process if it is not given
 * @property {() => void} [onClose] the same: a server of a benchmark closes nothing by itself
 */

/**
 * A socket that passes each read to `onBytes`, in a buffer that the next read overwrites.
 * @param {Where} where
 * @param {(bytes: Buffer) => void} onBytes
 */
export function openSocket({ port, localAddress, onError = fail, onClose = closedByServer }, onBytes) {
  const socket = connect({
    ...{ port, host: "127.0.0.1", localAddress, noDelay: true },
    onread: {
      buffer: readBuffer,
      callback(length) {
        onBytes(readBuffer.subarray(0, length));
        return true;
      },
    },
  });
  socket.on("error", onError);
  socket.on("close", onClose);
  return socket;
}

/**
 * Resolves when the server has answered with 101; `onBytes` gets all later bytes.
 * @param {Where & { path?: string | undefined, fields?: readonly string[] | undefined, onRefused?: (head: string) => void }} where
 *   without `onRefused`, any other answer ends the process; with it, the connection ends
 * @param {(bytes: Buffer, socket: import("node:net").Socket) => void} onBytes
 * @returns {Promise<import("node:net").Socket>}
 */
export function openWebSocket({ path, fields, onRefused, ...where }, onBytes) {
  return new Promise((resolve) => {
    /** The answer's head, while it is not complete. @type {string | undefined} */
    let head = "";
    const socket = openSocket(where, (bytes) => {
      if (head === undefined) return onBytes(bytes, socket);
      const before = head.length;
      head += bytes.toString("latin1");
      const end = head.indexOf("\r\n\r\n");
      if (end === -1) return;
      if (!head.startsWith("HTTP/1.1 101 ")) {
        if (onRefused === undefined) fail(new Error(`not upgraded: ${head}`));
        onRefused(head);
        socket.destroy();
        return;
      }
      head = undefined;
      resolve(socket);
      const rest = bytes.subarray(end + 4 - before);
      if (rest.length > 0) onBytes(rest, socket);
    });
    socket.on("connect", () => socket.write(upgradeRequest(path, fields)));
  });
}

/**
 * Splits the received bytes into frames and passes each payload to `onFrame`.
 * @param {(payload: Buffer, socket: import("node:net").Socket, opcode: number) => void} onFrame
 * @returns {(bytes: Buffer, socket: import("node:net").Socket) => void} for `openWebSocket`
 */
export function frames(onFrame) {
  /** Begins with a frame that is not complete. @type {Buffer | undefined} */
  let held;
  return (bytes, socket) => {
    const all = held === undefined ? bytes : Buffer.concat([held, bytes]);
    let at = 0;
    for (;;) {
      const length = frameLength(all, at);
      if (length === 0) break;
      onFrame(all.subarray(at + headerLength(all, at), at + length), socket, Number(all[at]) & 0xf);
      at += length;
    }
    // Copied, because the next read overwrites the buffer.
    held = at === all.length ? undefined : Buffer.from(all.subarray(at));
  };
}

const PING = 9;
const PONG = 10;

/**
 * Passes texts to `onText`, and answers pings and the close, for connections that stay open for minutes.
 * @param {(text: Buffer, socket: import("node:net").Socket) => void} onText
 * @returns {(bytes: Buffer, socket: import("node:net").Socket) => void} for `openWebSocket`
 */
export function texts(onText) {
  return frames((payload, socket, opcode) => {
    if (opcode === TEXT) onText(payload, socket);
    else if (opcode === PING) socket.write(maskedFrame(PONG, payload));
    else if (opcode === CLOSE) socket.end(maskedFrame(CLOSE, payload));
  });
}
