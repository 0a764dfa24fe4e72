// @ts-check
// One message, or a burst, to many: all connections are members of a group, and the first one asks for the next burst as
// soon as everybody has the one before. The server publishes `burst` messages in one turn for each such question.
// Deliveries are counted in bytes; the first burst of each connection is compared.
import { maskedFrame, plainFrame, TEXT } from "../lib/frames.js";
import { fail, measure, openMany } from "../lib/generator.js";
import { openWebSocket } from "../lib/web-socket.js";

/** @type {{ port: number, serverPid: number, seconds: number, warmupSeconds: number, connections: number, burst: number, messageBytes: number }} */
const config = JSON.parse(process.argv[2] ?? "{}");
const { port, connections, burst } = config;
const frame = plainFrame(TEXT, Buffer.alloc(config.messageBytes, "unichannel "));
const expected = Buffer.concat(Array.from({ length: burst }, () => frame));
const question = maskedFrame(TEXT, Buffer.from(String(burst)));

let bursts = 0;
let missing = 0;

const [first] = await openMany(connections, open);
ask();
await measure(config, () => bursts * burst * connections);

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

function open() {
  let isChecked = false;
  let early = Buffer.alloc(0);
  let received = 0;
  return openWebSocket({ port, path: "/member" }, (bytes) => {
    received += bytes.length;
    if (!isChecked) {
      early = Buffer.concat([early, bytes]);
      if (received < expected.length) return;
      if (!early.subarray(0, expected.length).equals(expected)) fail(new Error("not what was to be published"));
      isChecked = true;
    }
    if (received < expected.length) return;
    received -= expected.length;
    complete();
  });
}
