// @ts-check
// WebSocket echo in bursts, by a client that knows the records of a session (PROTOCOL.md): it counts messages, passes over
// acknowledgements, and sends one of its own with each burst. The same without records for a plain channel.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openWindow } from "../lib/cpu.js";
import { frameLength, maskedFrame, TEXT, upgradeRequest } from "../lib/frames.js";

/** @type {{ port: number, serverPid: number, seconds: number, warmupSeconds: number, connections: number, inFlight: number, messageBytes: number, session: boolean }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const data = "unichannel ".repeat(10).slice(0, config.messageBytes);
const text = config.session ? `m${data}` : data;
const request = maskedFrame(TEXT, Buffer.from(text));
const burst = Buffer.concat(Array.from({ length: config.inFlight }, () => request));
const fields = config.session ? ["Sec-WebSocket-Protocol: unichannel.v1"] : [];
/** "m" of a session's message, or the first letter of ours. */
const KIND = text.charCodeAt(0);

let operations = 0;

await Promise.all(Array.from({ length: config.connections }, converse));
await sleep(config.warmupSeconds * 1000);
const closeWindow = openWindow(config.serverPid);
operations = 0;
await sleep(config.seconds * 1000);
const completed = operations;
process.send?.({ operations: completed, ...closeWindow() }, () => process.exit());

/** Resolves when the first burst has come back. @returns {Promise<void>} */
function converse() {
  return new Promise((resolve) => {
    const socket = connect({ port: config.port, host: "127.0.0.1", noDelay: true });
    /** @type {Buffer} */
    let held = Buffer.alloc(0);
    let isUpgraded = false;
    let missing = 0;
    let received = 0;
    socket.on("connect", () => socket.write(upgradeRequest("/", fields)));
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the server closed a connection")));
    socket.on("data", (/** @type {Buffer} */ bytes) => {
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      if (!isUpgraded) {
        const end = held.indexOf("\r\n\r\n");
        if (end === -1) return;
        if (!held.toString("latin1").startsWith("HTTP/1.1 101 ")) fail(new Error(held.toString("latin1")));
        held = held.subarray(end + 4);
        isUpgraded = true;
        say();
      }
      let at = 0;
      for (;;) {
        // Frames of less than 126 bytes but for the first one, `open`.
        const length = frameLength(held.subarray(at));
        if (length === 0) break;
        if (held[at + 2] === KIND && length === text.length + 2) {
          missing -= 1;
          received += 1;
          operations += 1;
        }
        at += length;
      }
      held = held.subarray(at);
      if (missing > 0) return;
      resolve();
      say();
    });

    function say() {
      missing += config.inFlight;
      socket.write(config.session ? Buffer.concat([burst, maskedFrame(TEXT, Buffer.from(`a${received}`))]) : burst);
    }
  });
}

/** @param {unknown} error */
function fail(error) {
  console.error(error);
  process.exit(1);
}
