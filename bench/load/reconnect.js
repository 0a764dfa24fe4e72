// @ts-check
// Sessions during the restart of their server: the clients follow PROTOCOL.md and wait as our client does
// (src/client/carrier-selector.ts). Reports when all are connected. After the server has told them to come back, it reports how
// long each and all of them took, how many connections were refused because no process was listening, and all errors.
import { createHistogram } from "node:perf_hooks";
import { CLOSE, maskedFrame, TEXT } from "../lib/frames.js";
import { fail, openMany } from "../lib/generator.js";
import { frames, openWebSocket } from "../lib/web-socket.js";

/** As in src/client/carrier-selector.ts. */
const FIRST_MS = 500;
const CAP_MS = 30_000;
/** Silence after which our client would start a second carrier. */
const OPEN_MS = 2500;

/** @type {{ port: number, connections: number }} */
const { port, connections } = JSON.parse(process.argv[2] ?? "{}");
const FIRST_ACK = maskedFrame(TEXT, Buffer.from("a0"));
const CLOSED_ACK = Buffer.concat([maskedFrame(TEXT, Buffer.from("a1")), maskedFrame(CLOSE, Buffer.from([0x03, 0xe8]))]);

const times = createHistogram();
/** The time of the first `close`, from which all is measured. */
let startedAt = 0;
let back = 0;
let refused = 0;
let slow = 0;
/** Errors, and how often each occurred. @type {Map<string, number>} */
const errors = new Map();

await openMany(connections, () => new Promise((resolve) => connect(1, () => resolve(undefined))));
process.send?.({ open: connections });

/** @param {number} attempt in a row @param {() => void} onOpen */
function connect(attempt, onOpen) {
  let isOpen = false;
  let isClosed = false;
  let code = "the end";
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
      const close = JSON.parse(payload.toString("latin1", 1));
      if (close.code !== 1012 || close.retryMs === undefined) fail(new Error(payload.toString("latin1")));
      setTimeout(() => connect(1, isBack), close.retryMs);
    }
  });
  const where = { port, fields: ["Sec-WebSocket-Protocol: unichannel.v1"] };
  openWebSocket({ ...where, onError, onClose }, hear);

  /** Called before `onClose`. @param {any} error */
  function onError(error) {
    code = error.code;
  }

  function onClose() {
    if (isClosed) return;
    if (code === "ECONNREFUSED") refused += 1;
    else {
      const what = `${isOpen ? "no close record before" : "no open record before"} ${code}`;
      errors.set(what, (errors.get(what) ?? 0) + 1);
    }
    // At once if it was open; otherwise after a delay with full jitter.
    const delayMs = isOpen ? 0 : Math.random() * Math.min(CAP_MS, FIRST_MS * 2 ** (attempt - 1));
    setTimeout(() => connect(isOpen ? 1 : attempt + 1, isOpen ? isBack : onOpen), delayMs);
  }
}

function isBack() {
  times.record(Math.max(1, Math.round((performance.now() - startedAt) * 1000)));
  back += 1;
  if (back < connections) return;
  const [p50, p99, max] = [times.percentile(50), times.percentile(99), times.max].map((micros) => micros / 1e6);
  for (const [what, count] of errors) console.error(`  ${count} times: ${what}`);
  const failures = [...errors.values()].reduce((sum, count) => sum + count, 0);
  process.send?.({ allBackSeconds: max, p50Seconds: p50, p99Seconds: p99, refused, slow, errors: failures });
}
