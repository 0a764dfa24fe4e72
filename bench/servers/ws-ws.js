// @ts-check
// WebSocket echo on ws, as in its README; with `deflate` messages are compressed; with `string` each text is made a string, and
// that is sent back. With `bufferutil` it uses this native addon, which unmasks. `npm install ws` does not install it, but
// another package of the benchmarks does, and ws uses it if it finds it.
import { ready } from "../lib/ready.js";

const [variant] = process.argv.slice(2);
const perMessageDeflate = variant === "deflate";
if (variant !== "bufferutil") process.env["WS_NO_BUFFER_UTIL"] = "1";
const { WebSocketServer } = await import("ws");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate, backlog: 1024 });
server.on("connection", (socket) => {
  if (variant === "string") socket.on("message", (data) => socket.send(data.toString()));
  else socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on("error", () => socket.terminate());
});
server.on("listening", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  ready(port, () => server.clients.size);
});
