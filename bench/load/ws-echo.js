// @ts-check
// WebSocket load: equal masked messages, with `inFlight` of them in flight on each connection.
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { BINARY, frameLength, headerLength, maskedFrame, plainFrame, TEXT } from "../lib/frames.js";
import { SOCKET_IO_WEBSOCKET } from "../lib/socket-io.js";
import { run } from "./steady.js";

/** RFC 7692 §7.2.1: the end of every compressed message, which is not sent. */
const DEFLATE_END = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const RSV1 = 0x40;
const NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

const config = JSON.parse(process.argv[2] ?? "{}");
const text = "unichannel says hello to room 17, message 42; ";
const data = Buffer.alloc(config.messageBytes, config.deflate ? text : "unichannel ");

await run(config, { port: config.port, inFlight: config.inFlight, ...conversation() });

function conversation() {
  if (config.deflate) return deflated();
  if (config.socketIo) {
    // Socket.IO 5 over Engine.IO 4: "4" a message, "0" connect, "2" an event.
    const event = Buffer.from(`42["m","${data}"]`);
    return {
      webSocket: { path: SOCKET_IO_WEBSOCKET },
      prelude: [maskedFrame(TEXT, Buffer.from("40"))],
      ...echo(TEXT, event),
    };
  }
  return { webSocket: {}, ...echo(config.binary ? BINARY : TEXT, data) };
}

/** @param {number} opcode @param {Buffer} payload */
function echo(opcode, payload) {
  const reply = plainFrame(opcode, payload);
  return {
    request: maskedFrame(opcode, payload),
    /** @param {Buffer} bytes */
    replyLength(bytes) {
      if (bytes.length < reply.length) return 0;
      if (!bytes.subarray(0, reply.length).equals(reply)) throw new Error("the echo is not what was sent");
      return reply.length;
    },
  };
}

/** Without context takeover equal messages have equal bytes, so the replies after the first can be counted by length. */
function deflated() {
  const payload = deflateRawSync(data, { finishFlush: 2 }).subarray(0, -DEFLATE_END.length);
  return {
    webSocket: { fields: [`Sec-WebSocket-Extensions: ${NO_TAKEOVER}`] },
    request: maskedFrame(RSV1 | TEXT, payload),
    /** @param {Buffer} bytes */
    replyLength(bytes) {
      const length = frameLength(bytes);
      if (length === 0) return 0;
      if ((Number(bytes[0]) & RSV1) === 0) throw new Error("the echo is not compressed");
      const payload = bytes.subarray(headerLength(bytes), length);
      const inflated = inflateRawSync(Buffer.concat([payload, DEFLATE_END]), { finishFlush: 2 });
      if (!inflated.equals(data)) throw new Error("the echo is not what was sent");
      return length;
    },
  };
}
