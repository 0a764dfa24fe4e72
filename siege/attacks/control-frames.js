// @ts-check
// Floods of pings, pongs and close frames, from clients that read the answers and from clients that do not.
import { smallFrame } from "../lib/attacker.js";

const PAYLOAD = Buffer.alloc(125, "p");
const FLOODS = [9, 10].map((opcode) => Buffer.concat(Array(900).fill(smallFrame(opcode, PAYLOAD))));
const CLOSES = Buffer.concat(Array(1000).fill(smallFrame(8, Buffer.from([3, 232]))));

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "control-frames",
  about: "floods of pings, pongs and closes, read and not read",
  async run(attacker) {
    const pinging = Array.from({ length: 40 }, async (_, index) => {
      while (!attacker.isOver) {
        const socket = await attacker.openWebSocket("/echo");
        if (index % 2 === 0) socket.pause();
        await attacker.trickle(socket, 300, () => {
          attacker.count("control frames", 900);
          return FLOODS[index % 4 < 2 ? 0 : 1] ?? "";
        });
        socket.destroy();
      }
    });
    const closing = attacker.many(2000, async () => {
      const socket = await attacker.openWebSocket("/echo");
      attacker.send(socket, CLOSES);
      attacker.count("control frames", 1000);
    });
    await Promise.all([...pinging, closing]);
  },
};
