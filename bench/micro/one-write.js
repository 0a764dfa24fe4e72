// @ts-check
// One write per turn and socket (src/transport/io/flusher.ts, src/base/output.ts), on a real socket whose other end, a thread,
// reads and drops: sixteen frames of 34 bytes joined into one string, compared with cork() and with a write for each; and the
// same small piece as a string and as a Buffer. The thread uses another core.
import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { bench, run, summary } from "mitata";

const READER = `
  const server = require("node:net").createServer((socket) => socket.resume());
  server.listen(0, "127.0.0.1", () => require("node:worker_threads").parentPort.postMessage(server.address().port));
`;
const FRAMES = 16;
const frame = Buffer.alloc(34, "unichannel ");
const text = frame.toString("latin1");

const worker = new Worker(READER, { eval: true });
const [port] = await once(worker, "message");
const socket = connect({ port, host: "127.0.0.1", noDelay: true });
await once(socket, "connect");

/** Resolves when the kernel has the piece. @param {string | Buffer} piece */
function write(piece) {
  return new Promise((resolve) => socket.write(piece, "latin1", resolve));
}

summary(() => {
  bench("16 frames: one string", async () => {
    let joined = "";
    for (let i = 0; i < FRAMES; i++) joined += text;
    await write(joined);
  });
  bench("16 frames: cork", async () => {
    socket.cork();
    let written;
    for (let i = 0; i < FRAMES; i++) written = write(frame);
    socket.uncork();
    await written;
  });
  bench("16 frames: a write for each", async () => {
    let written;
    for (let i = 0; i < FRAMES; i++) written = write(frame);
    await written;
  });
});
for (const size of [130, 2048]) {
  const bytes = Buffer.alloc(size, "unichannel ");
  const string = bytes.toString("latin1");
  summary(() => {
    bench(`${size} bytes: a string`, () => write(string));
    bench(`${size} bytes: a Buffer`, () => write(bytes));
  });
}

await run();
process.exit();
