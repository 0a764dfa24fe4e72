// @ts-check
// WebSocket handshakes that wait for the application's asynchronous check, with messages behind them.
import { BINARY, frameHead, upgradeRequest } from "../lib/attacker.js";

const BEHIND = Buffer.concat([
  Buffer.from(upgradeRequest("/checked")),
  frameHead(BINARY, 4_000_000),
  Buffer.alloc(2_000_000),
]);

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "held-upgrades",
  about: "1,000 handshakes that wait for an asynchronous check, each with 2 MB behind it",
  async run(attacker) {
    await attacker.many(1000, () => attacker.open(BEHIND));
    await attacker.hold();
  },
};
