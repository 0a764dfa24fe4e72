// @ts-check
// Messages for receivers that are busy, on plain WebSockets and on sessions: small, empty and large ones.
import { BINARY, maskedFrame, TEXT } from "../lib/attacker.js";

const FLOODS = [
  Buffer.concat(Array(20_000).fill(maskedFrame(TEXT, Buffer.from("m")))),
  Buffer.concat(Array(100).fill(maskedFrame(TEXT, Buffer.from(`m${"\u0416".repeat(16_000)}`)))),
  maskedFrame(BINARY, Buffer.alloc(4_000_000)),
];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "busy-receivers",
  about: "1,000 clients, plain and sessions, that send while the receiver is busy",
  async run(attacker) {
    await attacker.many(1000, async (index) => {
      const socket = await (index % 2 === 0 ? attacker.openWebSocket("/busy") : attacker.openSession("/busy-session"));
      attacker.send(socket, FLOODS[index % 3] ?? "");
      attacker.send(socket, FLOODS[index % 3] ?? "");
    });
    await attacker.hold();
  },
};
