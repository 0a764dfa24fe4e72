// @ts-check
// A text of 64 KiB that goes to a socket (src/base/output.ts, `longText`): encoded and written as bytes, joined with the header of its
// frame, or as a string of its own. `npx tsc --build && node bench/micro/long-text.js`. Each benchmark waits until the system has taken
// all, and the other end reads it.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { bench, run, summary } from "mitata";

const HEAD = String.fromCharCode(0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0);
const TEXT = "unichannel ".repeat(5958).slice(0, 65_536);

const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
const socket = connect({ port, host: "127.0.0.1", noDelay: true });
await once(socket, "connect");

/** @param {(done: () => void) => void} write @returns {() => Promise<void>} */
function taken(write) {
  return () => new Promise((resolve) => write(resolve));
}

summary(() => {
  bench(
    "the header, and the text as a string",
    taken((done) => {
      socket.cork();
      socket.write(HEAD, "latin1");
      socket.write(TEXT, "latin1", () => done());
      socket.uncork();
    }),
  );
  bench(
    "the header, and the text as bytes",
    taken((done) => {
      socket.cork();
      socket.write(HEAD, "latin1");
      socket.write(Buffer.from(TEXT, "utf8"), () => done());
      socket.uncork();
    }),
  );
  bench(
    "both as one string",
    taken((done) => {
      socket.write(HEAD + TEXT, "latin1", () => done());
    }),
  );
});

await run();
socket.destroy();
server.close();
