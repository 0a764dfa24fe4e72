// @ts-check
// The limit for event streams: a bare node:net loop that writes one Buffer to every socket, a burst as one.
import { createServer } from "node:net";
import { ready } from "../lib/ready.js";
import { countOf, GREETING, MESSAGE } from "../lib/room.js";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/** @type {Set<import("node:net").Socket>} */
const streams = new Set();
const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (/** @type {Buffer} */ bytes) => {
    const request = bytes.toString("latin1");
    if (request.startsWith("GET /member")) {
      socket.write(HEAD + chunk(`data: ${GREETING}\n\n`), "latin1");
      streams.add(socket);
      socket.on("close", () => streams.delete(socket));
      return;
    }
    const events = Buffer.from(chunk(`data: ${MESSAGE}\n\n`).repeat(countOf(request)), "latin1");
    for (const stream of streams) stream.write(events);
    socket.write("HTTP/1.1 204 No Content\r\n\r\n");
  });
  socket.on("error", () => socket.destroy());
});

/** @param {string} data */
function chunk(data) {
  return `${data.length.toString(16)}\r\n${data}\r\n`;
}

server.listen(0, "127.0.0.1", 1024, () => {
  ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port, () => streams.size);
});
