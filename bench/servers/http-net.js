// @ts-check
// The limit for HTTP: a bare node:net loop that answers every blank line with the same bytes and reads nothing else.
import { createServer } from "node:net";
import { ready } from "../lib/ready.js";

const END = "\r\n\r\n";
const RESPONSE =
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n" +
  `Date: ${new Date().toUTCString()}\r\n\r\nhello world`;

const server = createServer({ noDelay: true }, (socket) => {
  let tail = "";
  socket.on("data", (/** @type {Buffer} */ bytes) => {
    const text = tail + bytes.toString("latin1");
    let from = 0;
    let output = "";
    for (let end = text.indexOf(END); end !== -1; end = text.indexOf(END, from)) {
      output += RESPONSE;
      from = end + END.length;
    }
    tail = from === text.length ? "" : text.slice(from);
    if (output !== "") socket.write(output, "latin1");
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", () => ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port));
