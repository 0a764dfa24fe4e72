// A chat on Socket.IO: events of a room, and a list of the last lines.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { KEPT } from "../lib/chat.js";
import { ready } from "../lib/ready.js";

let n = 0;
let t = 0;
const names = new Map();
const lines = [];

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => {
  const { name } = socket.handshake.auth;
  io.to("chat").emit("joined", { n: ++n, name });
  socket.emit("welcome", { n, t, names: [...names.values()] });
  for (const line of lines) socket.emit("said", line);
  socket.join("chat");
  names.set(socket.id, name);
  socket.on("typing", () => socket.to("chat").emit("typing", { t: ++t, name }));
  socket.on("say", (text) => {
    const line = { n: ++n, name, text };
    lines.push(line);
    if (lines.length > KEPT) lines.shift();
    io.to("chat").emit("said", line);
  });
  socket.on("disconnect", () => {
    names.delete(socket.id);
    io.to("chat").emit("left", { n: ++n, name });
  });
});
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port, () => names.size));
