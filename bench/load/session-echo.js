// @ts-check
// WebSocket echo in bursts, by a client that reads the records of a session (PROTOCOL.md): it counts messages, skips
// acknowledgements, and sends one with each burst. For a plain channel it does the same without records. Whole bursts are timed.
// `requests`: each message is a request, and its echo the reply.
// `relayed`: the sessions begin at the first of several processes, and their clients then go on through the second.
import { maskedFrame, TEXT } from "../lib/frames.js";
import { closedByServer, measure, unequal } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** @type {import("../lib/generator.js").LoadConfig & { inFlight: number, messageBytes: number, session: boolean, requests?: boolean, relayed?: boolean }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const data = "unichannel ".repeat(10).slice(0, config.messageBytes);
const text = config.session ? `m${data}` : data;
const request = maskedFrame(TEXT, Buffer.from(text));
const messages = Buffer.concat(Array.from({ length: config.inFlight }, () => request));
const fields = config.session ? ["Sec-WebSocket-Protocol: unichannel.v1"] : [];
/** "m" or "r" of a session's message or request, or the first letter of a plain message. */
const KIND = (config.requests ? "r" : text).charCodeAt(0);
const path = config.requests ? "/?requests=100" : "/";
/** "o" of the record that begins each connection of a session. */
const OPEN = 0x6f;

let operations = 0;
let isOver = false;
/** How many echoes or replies each connection waits for. @type {(() => number)[]} */
const waits = [];

await Promise.all(Array.from({ length: config.connections }, converse));
await measure(config, () => operations, {
  stop() {
    isOver = true;
  },
  missing: () => unequal(waits.map((waiting) => waiting())),
});

/** Resolves when the first burst has come back. @returns {Promise<void>} */
function converse() {
  return new Promise((resolve) => {
    let missing = 0;
    let received = 0;
    let saidAt = 0;
    waits.push(() => missing);
    const count = frames((payload) => {
      if (payload[0] !== KIND || (!config.requests && payload.length !== text.length)) return;
      missing -= 1;
      received += 1;
      operations += 1;
    });
    begin().then((where) =>
      open({ path, ...where, fields }, (bytes, socket) => {
        count(bytes, socket);
        if (missing > 0 || received === 0 || isOver) return;
        tookSince(saidAt);
        resolve();
        say(socket);
      }).then(say),
    );

    /** @param {import("node:net").Socket} socket */
    function say(socket) {
      missing += config.inFlight;
      saidAt = performance.now();
      const burst = config.requests ? requests(received) : messages;
      socket.write(config.session ? Buffer.concat([burst, maskedFrame(TEXT, Buffer.from(`a${received}`))]) : burst);
    }
  });
}

/** A burst of requests after those that were answered. @param {number} last */
function requests(last) {
  const ids = Array.from({ length: config.inFlight }, (_, i) => last + 1 + i);
  return Buffer.concat(ids.map((id) => maskedFrame(TEXT, Buffer.from(`rask ${id}\n${data}`))));
}

/** The port and path of the connection that is measured. @returns {Promise<{ port: number, path?: string }>} */
function begin() {
  const [first = config.port, second = config.port] = config.ports;
  if (!config.relayed) return Promise.resolve({ port: first });
  return new Promise((resolve) => {
    const where = { port: first, fields, onClose() {} };
    openWebSocket(
      where,
      frames((payload, socket) => {
        if (payload[0] !== OPEN) return;
        const { session } = JSON.parse(payload.toString("latin1", 1));
        socket.end(maskedFrame(TEXT, Buffer.from("a0")));
        resolve({ port: second, path: `/?session=${session}&after=0` });
      }),
    );
  });
}

/**
 * Opens a WebSocket, and tries again where a process that was busy has not answered the one that passes its requests on.
 * @type {typeof openWebSocket}
 */
function open(where, onBytes) {
  if (!config.relayed) return openWebSocket(where, onBytes);
  let isRefused = false;
  return new Promise((resolve) => {
    const onClose = () => (isRefused ? open(where, onBytes).then(resolve) : closedByServer());
    const onRefused = () => {
      isRefused = true;
    };
    void openWebSocket({ ...where, onClose, onRefused }, onBytes).then(resolve);
  });
}
