// @ts-check
// Short connections: with a request, with a WebSocket or with no bytes; ended, reset, or half-closed.
import { setTimeout as rest } from "node:timers/promises";
import { reset } from "../../dist/fuzz/reset.js";
import { upgradeRequest } from "../lib/attacker.js";

const FIRST = [
  "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
  upgradeRequest("/echo"),
  "",
  "GET /ticks HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n",
  upgradeRequest("/session", ["Sec-WebSocket-Protocol: unichannel.v1"]),
];
/** The number of ports for one address is limited. */
const MOST = 12_000;

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "churn",
  about: "connections that come and go: ended, reset, or half closed",
  async run(attacker) {
    await attacker.many(MOST, async (index) => {
      const socket = await attacker.open(FIRST[index % FIRST.length]);
      await rest(attacker.random.below(10));
      const how = index % 4;
      if (how === 0) reset(socket);
      else if (how === 1) socket.end();
      else socket.destroy();
      // Half-closes, and is then silent.
      if (how === 1) setTimeout(() => reset(socket), 3000).unref();
    });
    await attacker.hold();
  },
};
