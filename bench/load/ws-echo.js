// @ts-check
// WebSocket load: equal masked messages, `inFlight` of them on the way on each connection.
import { BINARY, maskedFrame, plainFrame, TEXT, upgradeRequest } from "../lib/frames.js";
import { run } from "./steady.js";

const config = JSON.parse(process.argv[2] ?? "{}");

const payload = Buffer.alloc(config.messageBytes, "unichannel ");
const opcode = config.binary ? BINARY : TEXT;
const reply = plainFrame(opcode, payload);

await run(config, {
  port: config.port,
  inFlight: config.inFlight,
  upgrade: Buffer.from(upgradeRequest()),
  request: maskedFrame(opcode, payload),
  replyLength(bytes) {
    if (bytes.length < reply.length) return 0;
    if (!bytes.subarray(0, reply.length).equals(reply)) throw new Error("the echo is not what was sent");
    return reply.length;
  },
});
