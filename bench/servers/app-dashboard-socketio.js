// A dashboard on Socket.IO, for WebSockets and its own long polls: a room for each panel.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { dashboard } from "../lib/dashboard.js";
import { ready } from "../lib/ready.js";

const { control } = dashboard((group, message) => io.to(group).emit("update", message));
const http = createServer((request, response) => response.end(control(request.url)));
const io = new Server(http, { perMessageDeflate: false });
io.on("connection", (socket) => socket.join(socket.handshake.auth.group));
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port));
