// @ts-check
// One message, or a burst, to many: all connections are members of a group, and the first one asks for the next burst as
// soon as everybody has the one before. The server publishes `burst` messages in one turn for each such question.
// Deliveries are counted in bytes; the first burst of each connection is compared.
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { openWindow } from "../lib/cpu.js";
import { maskedFrame, plainFrame, TEXT, upgradeRequest } from "../lib/frames.js";

/** Connections that are being opened at the same time: less than any server's backlog. */
const BATCH = 200;

/** @type {{ port: number, serverPid: number, seconds: number, warmupSeconds: number, connections: number, burst: number, messageBytes: number }} */
const { port, serverPid, seconds, warmupSeconds, connections, burst, messageBytes } = JSON.parse(
  process.argv[2] ?? "{}",
);
const frame = plainFrame(TEXT, Buffer.alloc(messageBytes, "unichannel "));
const expected = Buffer.concat(Array.from({ length: burst }, () => frame));
const question = maskedFrame(TEXT, Buffer.from(String(burst)));

let bursts = 0;
let missing = 0;
/** @type {import("node:net").Socket | undefined} */
let first;

for (let i = 0; i < connections; i += BATCH) {
  await Promise.all(Array.from({ length: Math.min(BATCH, connections - i) }, open));
}
ask();
await sleep(warmupSeconds * 1000);
const closeWindow = openWindow(serverPid);
bursts = 0;
await sleep(seconds * 1000);
const operations = bursts * burst * connections;
process.send?.({ operations, ...closeWindow() }, () => process.exit());

function ask() {
  missing = connections;
  first?.write(question);
}

function complete() {
  missing -= 1;
  if (missing > 0) return;
  bursts += 1;
  ask();
}

/** Resolves when the connection is upgraded. @returns {Promise<void>} */
function open() {
  return new Promise((resolve) => {
    const buffer = Buffer.allocUnsafe(65_536);
    let upgrade = "";
    let isOpen = false;
    let isChecked = false;
    let early = Buffer.alloc(0);
    let received = 0;
    const socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer,
        callback(bytes) {
          if (isOpen) count(bytes);
          else begin(bytes);
          return true;
        },
      },
    });
    socket.on("connect", () => socket.write(upgradeRequest("/member")));
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the server closed a connection")));

    /** @param {number} bytes */
    function begin(bytes) {
      upgrade += buffer.toString("latin1", 0, bytes);
      if (!upgrade.endsWith("\r\n\r\n")) return;
      if (!upgrade.startsWith("HTTP/1.1 101 ")) fail(new Error(`not upgraded: ${upgrade}`));
      isOpen = true;
      first ??= socket;
      resolve();
    }

    /** @param {number} bytes */
    function count(bytes) {
      received += bytes;
      if (!isChecked) {
        early = Buffer.concat([early, buffer.subarray(0, bytes)]);
        if (received < expected.length) return;
        if (!early.subarray(0, expected.length).equals(expected)) fail(new Error("not what was to be published"));
        isChecked = true;
      }
      if (received < expected.length) return;
      received -= expected.length;
      complete();
    }
  });
}

/** @param {unknown} error */
function fail(error) {
  console.error(error);
  process.exit(1);
}
