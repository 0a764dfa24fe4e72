// @ts-check
// Messages with the largest allowed number of fragments: empty ones, ones of one byte, and one fragment for each allowed byte.
import { BINARY, smallFrame } from "../lib/attacker.js";

/** @param {number} count @param {number} size */
function fragments(count, size) {
  const next = smallFrame(0, Buffer.alloc(size), false);
  return Buffer.concat([smallFrame(BINARY, Buffer.alloc(size), false), ...Array(count - 1).fill(next)]);
}

const KINDS = [fragments(1024, 0), fragments(1024, 1), fragments(1025, 1), fragments(60_000, 64)];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "fragments",
  about: "messages in 1,024 fragments of nothing or a byte, one more, and 60,000 of 64 bytes, never finished",
  async run(attacker) {
    await attacker.many(800, async (index) => {
      const socket = await attacker.openWebSocket("/echo");
      attacker.send(socket, KINDS[index % KINDS.length] ?? "");
      attacker.count("messages");
    });
    await attacker.hold();
  },
};
