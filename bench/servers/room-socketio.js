// A room on Socket.IO for members over WebSocket and long polling: its namespace.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { ready } from "../lib/ready.js";
import { countOf, MESSAGE } from "../lib/room.js";

const http = createServer((request, response) => {
  for (let i = countOf(request.url); i > 0; i--) io.emit("m", MESSAGE);
  response.writeHead(204).end();
});
const io = new Server(http, { perMessageDeflate: false });
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port, () => io.engine.clientsCount));
