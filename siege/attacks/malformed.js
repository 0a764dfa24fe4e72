// @ts-check
// Random malformed input: mutated requests, frames and records of the fuzz corpora.
import { mutatedPipeline, segments } from "../../dist/fuzz/http1-requests.js";
import { frameStream } from "../../dist/fuzz/websocket-frames.js";
import { maskedFrame, TEXT, upgradeRequest } from "../lib/attacker.js";

const LETTERS = "macofhxo";

/** @param {import("../../dist/fuzz/random.js").Random} random */
function records(random) {
  const text = Array.from({ length: 1 + random.below(40) }, () => String.fromCharCode(random.below(256))).join("");
  return maskedFrame(TEXT, Buffer.from(random.pick([...LETTERS]) + text));
}

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "malformed",
  about: "mutated requests, frames and records, by chance",
  async run(attacker) {
    const { random } = attacker;
    await attacker.many(8000, async () => {
      const kind = random.below(3);
      const parts =
        kind === 0
          ? segments(mutatedPipeline(random), random).map((text) => Buffer.from(text, "latin1"))
          : kind === 1
            ? [upgradeRequest("/echo"), ...frameStream(random, false)]
            : [upgradeRequest("/session", ["Sec-WebSocket-Protocol: unichannel.v1"]), records(random), records(random)];
      const socket = await attacker.open();
      for (const part of parts) attacker.send(socket, part);
      attacker.count("cases");
      setTimeout(() => socket.destroy(), 200).unref();
    });
    await attacker.hold();
  },
};
