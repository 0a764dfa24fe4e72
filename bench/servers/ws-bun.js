// WebSocket echo on Bun.serve. Runs on Bun.
import { ready } from "../lib/ready.js";

let open = 0;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 400 })),
  websocket: {
    perMessageDeflate: process.argv[2] === "deflate",
    maxPayloadLength: 4 * 1024 * 1024,
    open: () => open++,
    close: () => open--,
    message: (socket, message) => socket.send(message, process.argv[2] === "deflate"),
  },
});
ready(server.port, () => open);
