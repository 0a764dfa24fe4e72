// Echo on Socket.IO over WebSocket: an event is sent back unchanged. With `recovery` clients may resume their session.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { ready } from "../lib/ready.js";

const recovery = process.argv[2] === "recovery" ? { connectionStateRecovery: {} } : {};
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, ...recovery });
io.on("connection", (socket) => socket.on("m", (data) => socket.emit("m", data)));
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port, () => io.engine.clientsCount));
