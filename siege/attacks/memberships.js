// @ts-check
// A client that joins groups with invented names, and leaves them again, oldest first (fault M6).
import { maskedFrame, TEXT } from "../lib/attacker.js";

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "memberships",
  about: "8 WebSockets that each join 20,000 groups of made-up names and leave them, oldest first",
  async run(attacker) {
    await attacker.many(8, async (client) => {
      const socket = await attacker.openWebSocket("/room");
      for (const verb of ["join", "leave"]) {
        let next = 0;
        while (next < 20_000 && !attacker.isOver) {
          const frames = Array.from({ length: 500 }, () =>
            maskedFrame(TEXT, Buffer.from(`${verb} group-${client}-${next++}`)),
          );
          if (!attacker.send(socket, Buffer.concat(frames)))
            await new Promise((resolve) => socket.once("drain", resolve));
          attacker.count(verb, frames.length);
        }
      }
    });
    await attacker.hold();
  },
};
