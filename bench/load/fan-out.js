// @ts-check
// One message, or a burst, to many: all connections are members of a group, and the first one requests the next burst as
// soon as all members have the previous one. The server publishes `burst` messages in one turn for each request.
// Deliveries are counted in bytes; the first burst of each connection is compared. Every tenth member measures the time
// from the request to the last message of the burst.
import { maskedFrame, plainFrame, TEXT } from "../lib/frames.js";
import { fail, measureTurns, openMany } from "../lib/generator.js";
import { tookSince } from "../lib/latencies.js";
import { openWebSocket } from "../lib/web-socket.js";

/** @type {import("../lib/generator.js").LoadConfig & { burst: number, messageBytes: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, connections, burst } = config;
const frame = plainFrame(TEXT, Buffer.alloc(config.messageBytes, "unichannel "));
const expected = Buffer.concat(Array.from({ length: burst }, () => frame));
const question = maskedFrame(TEXT, Buffer.from(String(burst)));

let receivedBytes = 0;
let missing = 0;
let turn = 0;
let askedAt = 0;

const [first] = await openMany(connections, open);
const turnIsOver = measureTurns(config, () => receivedBytes / frame.length);
ask();

function ask() {
  missing = connections;
  turn += 1;
  askedAt = performance.now();
  first?.write(question);
}

/** @param {boolean} isTimed */
function complete(isTimed) {
  if (isTimed) tookSince(askedAt);
  missing -= 1;
  if (missing > 0) return;
  turnIsOver();
  ask();
}

/** @param {number} index */
function open(index) {
  const isTimed = index % 10 === 0;
  let isChecked = false;
  let early = Buffer.alloc(0);
  let received = 0;
  /** The last turn whose messages are complete. */
  let completed = 0;
  return openWebSocket({ port, path: "/member" }, (bytes) => {
    received += bytes.length;
    receivedBytes += bytes.length;
    if (completed === turn || received > expected.length)
      fail(new Error("a member has received more than was published"));
    if (!isChecked) {
      early = Buffer.concat([early, bytes]);
      if (received < expected.length) return;
      if (!early.subarray(0, expected.length).equals(expected)) fail(new Error("not what was to be published"));
      isChecked = true;
    }
    if (received < expected.length) return;
    received = 0;
    completed = turn;
    complete(isTimed);
  });
}
