// WebSocket echo on Bun.serve. Runs on Bun.
import { serveSockets } from "../lib/bun-sockets.js";

const isCompressed = process.argv[2] === "deflate";

serveSockets({
  perMessageDeflate: isCompressed,
  maxPayloadLength: 4 * 1024 * 1024,
  message: (socket, message) => socket.send(message, isCompressed),
});
