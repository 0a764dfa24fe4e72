// @ts-check
// Sessions that read everything and acknowledge nothing: echoes of texts, of two-byte texts and of bytes, and messages that the
// server pushes (fault M2).
import { setTimeout as rest } from "node:timers/promises";
import { BINARY, maskedFrame, TEXT } from "../lib/attacker.js";

const MESSAGES = [
  maskedFrame(TEXT, Buffer.from(`m${"x".repeat(65_535)}`)),
  maskedFrame(TEXT, Buffer.from(`m${"\u0416".repeat(32_000)}`)),
  maskedFrame(BINARY, Buffer.alloc(1_000_000)),
  maskedFrame(BINARY, Buffer.alloc(4_194_304)),
];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "never-acknowledge",
  about: "900 sessions that read and never acknowledge: echoes of text, wide text and 4 MiB, and pushes",
  async run(attacker) {
    await attacker.many(900, async (index) => {
      const kind = index % 5;
      const socket = await attacker.openSession(kind === 4 ? "/push-session" : "/session");
      const message = MESSAGES[kind];
      if (message === undefined) return;
      for (let sent = 0; sent < 5 * 65_536 * 16 && !attacker.isOver; sent += message.length) {
        if (!attacker.send(socket, message)) await rest(20);
        attacker.count("messages");
      }
    });
    await attacker.hold();
  },
};
