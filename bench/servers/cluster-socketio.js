// One of several processes with a room across them, on Socket.IO over its Redis streams adapter.
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { ready } from "../lib/ready.js";

const [port] = process.argv.slice(2);
const client = createClient({ url: `redis://127.0.0.1:${port}` });
await client.connect();
const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, adapter: createAdapter(client) });
io.on("connection", (socket) => {
  socket.join("all");
  socket.on("m", (data) => io.to("all").emit("m", data));
});
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port, () => io.engine.clientsCount));
