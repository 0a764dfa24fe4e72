// The same sessions on Socket.IO with its connection state recovery, which keeps messages that are emitted to a room.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { ready } from "../lib/ready.js";
import { MESSAGE } from "../lib/room.js";

const MISSED = 4;

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
});
io.on("connection", (socket) => {
  const say = () => {
    for (let i = 0; i < MISSED; i++) io.to(socket.id).emit("m", MESSAGE);
  };
  socket.on("go", say);
  if (!socket.recovered) say();
});
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port, () => io.engine.clientsCount));
