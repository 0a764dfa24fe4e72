// @ts-check
// Request bodies that are nearly complete, with a length and in chunks; and POSTs of a session (fault M3).
import { setTimeout as rest } from "node:timers/promises";

const PART = Buffer.alloc(7 << 20, "x");
const HEADS = [
  "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n",
  "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n",
];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "unfinished-bodies",
  about: "300 request bodies, each with 7 of its 8 MiB, with a length and in chunks",
  async run(attacker) {
    await attacker.many(300, async (index) => {
      const socket = await attacker.open(HEADS[index % 2]);
      attacker.send(socket, PART);
      await rest(50);
    });
    await attacker.hold();
  },
};
