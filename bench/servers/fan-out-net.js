// @ts-check
// The limit for a group: a bare node:net loop that writes one Buffer to every socket, a burst as one.
import { createServer } from "node:net";
import { plainFrame, TEXT, upgradeResponse } from "../lib/frames.js";
import { ready } from "../lib/ready.js";

const FRAME = plainFrame(TEXT, Buffer.alloc(128, "unichannel "));

/** @type {Set<import("node:net").Socket>} */
const members = new Set();
const server = createServer({ noDelay: true }, (socket) => {
  socket.once("data", (/** @type {Buffer} */ request) => {
    socket.write(upgradeResponse(request), "latin1");
    members.add(socket);
    socket.on("close", () => members.delete(socket));
    socket.on("data", (/** @type {Buffer} */ bytes) => {
      // One small masked frame: its payload is the count.
      const count = Buffer.from(bytes.subarray(6).map((byte, i) => byte ^ Number(bytes[2 + (i % 4)]))).toString();
      const burst = Buffer.concat(Array.from({ length: Number(count) }, () => FRAME));
      for (const member of members) member.write(burst);
    });
  });
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", 1024, () => {
  ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port, () => members.size);
});
