// @ts-check
// Histories that a client fills: large messages to one group, and to groups of made-up names (fault M4).
import { maskedFrame, TEXT } from "../lib/attacker.js";

const LARGE = "x".repeat(900_000);

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "history",
  about: "a client publishes 900 KB at a time to groups of made-up names, and 200,000 empty messages",
  async run(attacker) {
    let number = 0;
    const empty = Buffer.concat(
      Array.from({ length: 500 }, (_, index) => maskedFrame(TEXT, Buffer.from(`publish e${index} `))),
    );
    await attacker.many(4, async (index) => {
      const socket = await attacker.openWebSocket("/room");
      await attacker.flood(socket, () => {
        attacker.count("published", index === 0 ? 500 : 1);
        return index === 0 ? empty : maskedFrame(TEXT, Buffer.from(`publish g${number++} ${LARGE}`));
      });
    });
  },
};
