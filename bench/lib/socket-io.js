// @ts-check
// The part of Socket.IO 5 over Engine.IO 4 that the generators need. Engine.IO: "0" open, "2" ping, "3" pong, "4" a message;
// Socket.IO in it: "0" connect, "1" disconnect, "2" an event, "3" an acknowledgement.
import { exchanges } from "./exchanges.js";
import { maskedFrame, TEXT } from "./frames.js";
import { frames, openWebSocket } from "./web-socket.js";

export const SOCKET_IO_WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
/** The separator between the packets of one poll. */
const SEPARATOR = "\x1e";
const SOCKET_IO_POLLING = "/socket.io/?EIO=4&transport=polling";

/**
 * Resolves when the server has accepted the client, with its answer.
 * @param {import("./web-socket.js").Where} where
 * @param {(text: string) => void} onEvent gets events, from their "42" on
 * @param {string} [auth] the client's auth payload as JSON
 * @param {(payload: Buffer, socket: import("node:net").Socket) => void} [onAnswer] gets acknowledgements, from their "43" on
 * @returns {Promise<{ socket: import("node:net").Socket, connected: string }>}
 */
export function openSocketIo(where, onEvent, auth = "", onAnswer = () => {}) {
  return new Promise((resolve) => {
    const listen = frames((payload, socket) => {
      const text = payload.toString("latin1");
      if (text.startsWith("42")) onEvent(text);
      else if (text.startsWith("43")) onAnswer(payload, socket);
      else if (text.startsWith("0")) socket.write(maskedFrame(TEXT, Buffer.from(`40${auth}`)));
      else if (text.startsWith("40")) resolve({ socket, connected: text });
      else if (text === "2") socket.write(maskedFrame(TEXT, Buffer.from("3")));
    });
    openWebSocket({ ...where, path: SOCKET_IO_WEBSOCKET }, listen);
  });
}

/**
 * The same over long polling: both handshakes, and then one poll after the other. Resolves when the first one waits.
 * @param {import("./web-socket.js").Where} where
 * @param {(packets: string) => void} onPackets gets the body of each poll
 * @param {string} [auth] the client's auth payload as JSON
 * @returns {Promise<void>}
 */
export function openSocketIoPolls(where, onPackets, auth = "") {
  return new Promise((resolve) => {
    let target = SOCKET_IO_POLLING;
    const ask = exchanges(where, (body) => {
      if (body.startsWith("0")) {
        target += `&sid=${JSON.parse(body.slice(1)).sid}`;
        return ask("POST", target, `40${auth}`);
      }
      if (body.split(SEPARATOR).includes("2")) ask("POST", target, "3");
      else ask("GET", target);
      if (body.startsWith("40")) resolve();
      onPackets(body);
    });
    ask("GET", target);
  });
}
