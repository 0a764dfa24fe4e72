// @ts-check
// Sessions through the restart of their server: clients that do what PROTOCOL.md asks and wait as the client of ours does
// (src/client/ladder.ts). Says when all are there, and then, once they have been told to come back later, how long it took
// each and all of them, how often nobody was listening, and what went wrong.
import { createHistogram } from "node:perf_hooks";
import { CLOSE, maskedFrame, TEXT } from "../lib/frames.js";
import { fail, openMany } from "../lib/generator.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** As in src/client/ladder.ts. */
const FIRST_MS = 500;
const CAP_MS = 30_000;
/** Silence after which our client would start another carrier beside. */
const OPEN_MS = 2500;

/** @type {{ port: number, connections: number }} */
const { port, connections } = JSON.parse(process.argv[2] ?? "{}");
const FIRST_ACK = maskedFrame(TEXT, Buffer.from("a0"));
const CLOSED_ACK = Buffer.concat([maskedFrame(TEXT, Buffer.from("a1")), maskedFrame(CLOSE, Buffer.from([0x03, 0xe8]))]);

const times = createHistogram();
/** The first `close`: from here on all is timed. */
let startedAt = 0;
let back = 0;
let refused = 0;
let slow = 0;
let errors = 0;

await openMany(connections, () => new Promise((resolve) => connect(1, () => resolve(undefined))));
process.send?.({ open: connections });

/** @param {number} attempt in a row @param {() => void} onOpen */
function connect(attempt, onOpen) {
  let isOpen = false;
  let isClosed = false;
  const begin = performance.now();
  const hear = frames((payload, socket) => {
    const kind = String.fromCharCode(Number(payload[0]));
    if (kind === "o") {
      isOpen = true;
      if (performance.now() - begin > OPEN_MS) slow += 1;
      socket.write(FIRST_ACK);
      onOpen();
    } else if (kind === "c") {
      isClosed = true;
      startedAt ||= performance.now();
      socket.end(CLOSED_ACK);
      const { code, retryMs } = JSON.parse(payload.toString("latin1", 1));
      if (code !== 1012 || retryMs === undefined) fail(new Error(payload.toString("latin1")));
      setTimeout(() => connect(1, isBack), retryMs);
    }
  });
  const where = { port, fields: ["Sec-WebSocket-Protocol: unichannel.v1"] };
  openWebSocket({ ...where, onError, onClose }, hear);

  /** @param {any} error */
  function onError(error) {
    if (isClosed || error.code === "ECONNREFUSED") return;
    errors += 1;
    console.error(error);
  }

  function onClose() {
    if (isClosed) return;
    if (isOpen) {
      errors += 1;
      console.error("a connection was lost without a close record");
    } else refused += 1;
    // Full jitter.
    setTimeout(() => connect(attempt + 1, isBack), Math.random() * Math.min(CAP_MS, FIRST_MS * 2 ** (attempt - 1)));
  }
}

function isBack() {
  times.record(Math.max(1, Math.round((performance.now() - startedAt) * 1000)));
  back += 1;
  if (back < connections) return;
  const [p50, p99, max] = [times.percentile(50), times.percentile(99), times.max].map((micros) => micros / 1e6);
  process.send?.({ allBackSeconds: max, p50Seconds: p50, p99Seconds: p99, refused, slow, errors });
}
