// @ts-check
// Clients that lose their connection again and again. Each connection receives four messages; then the client requests four
// more, ends the connection without reading them, and comes back for them. An operation is a connection that has delivered
// the missed messages; its latency is the time since its start. `kind`: our session, a session of Socket.IO, or a plain channel,
// which is new each time and is sent its messages when it opens.
import { maskedFrame, TEXT } from "../lib/frames.js";
import { fail, measure } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { openSocketIo } from "../lib/socket-io.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** @type {import("../lib/generator.js").LoadConfig & { kind: keyof typeof kinds, missed: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, missed } = config;
const kinds = { session: sessionClient, socketIo: socketIoClient, channel: channelClient };

/** @typedef {{ onClose: () => void }} Ends */

let operations = 0;
/** Clients that wait for the messages that they missed. */
let waiting = 0;
let isEnding = false;

await Promise.all(Array.from({ length: config.connections }, lose));
await measure(config, () => operations, {
  stop() {
    isEnding = true;
  },
  missing: () => (waiting > 0 ? `${waiting} clients have not received what they missed` : undefined),
});

/** Resolves when the client has come back once. @returns {Promise<void>} */
function lose() {
  const connect = kinds[config.kind]();
  return new Promise((resolve) => {
    let isBack = false;
    void again();

    function again() {
      if (isEnding) return;
      waiting += 1;
      const start = performance.now();
      let heard = 0;
      connect({ onClose: again }, (socket, lastWords) => {
        heard += 1;
        if (heard > missed) fail(new Error("a message came twice"));
        if (heard < missed) return false;
        tookSince(start);
        operations += 1;
        waiting -= 1;
        if (isBack) resolve();
        isBack = true;
        socket.end(lastWords);
        return true;
      });
    }
  });
}

/**
 * @callback Connect
 * @param {Ends} ends
 * @param {(socket: import("node:net").Socket, lastWords: Buffer | string) => boolean} onMessage returns true for the last
 *   message that this connection is to receive
 * @returns {unknown}
 */

/** @returns {Connect} */
function sessionClient() {
  const go = maskedFrame(TEXT, Buffer.from("mgo"));
  let token = "";
  let after = 0;
  return (ends, onMessage) => {
    const path = token === "" ? "/" : `/?session=${token}&after=${after}`;
    let isOver = false;
    const hear = frames((payload, socket) => {
      if (isOver) return;
      if (payload[0] === 0x6f) {
        const open = JSON.parse(payload.toString("latin1", 1));
        if (token !== "" && !open.resumed) fail(new Error("the session was not resumed"));
        token = open.session;
      }
      if (payload[0] !== 0x6d) return;
      after += 1;
      isOver = onMessage(socket, go);
    });
    openWebSocket({ port, path, fields: ["Sec-WebSocket-Protocol: unichannel.v1"], ...ends }, hear);
  };
}

/** Connects with its private id and the id of the last event that it received. @returns {Connect} */
function socketIoClient() {
  const go = maskedFrame(TEXT, Buffer.from('42["go"]'));
  let pid = "";
  let offset = "";
  return async (ends, onMessage) => {
    let isOver = false;
    let events = 0;
    /** @type {import("node:net").Socket | undefined} */
    let open;
    const auth = pid === "" ? "" : JSON.stringify({ pid, offset });
    // Missed messages may arrive before the answer to the connect packet.
    const { socket, connected } = await openSocketIo(
      { port, ...ends },
      (text) => {
        if (isOver) return;
        offset = JSON.parse(text.slice(2)).at(-1);
        events += 1;
        if (open !== undefined) isOver = onMessage(open, go);
      },
      auth,
    );
    const answer = JSON.parse(connected.slice(2));
    if (pid !== "" && answer.pid !== pid) fail(new Error("the session was not recovered"));
    pid = answer.pid;
    open = socket;
    for (let i = events; i > 0 && !isOver; i--) isOver = onMessage(socket, go);
  };
}

/** @returns {Connect} */
function channelClient() {
  return (ends, onMessage) => {
    let isOver = false;
    const hear = frames((_, socket) => {
      if (!isOver) isOver = onMessage(socket, "");
    });
    openWebSocket({ port, ...ends }, hear);
  };
}
