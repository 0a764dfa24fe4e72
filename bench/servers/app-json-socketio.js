// Orders on Socket.IO: an event that is checked by the schema, and answered by its acknowledgement.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { order, receiptOf } from "../lib/orders.js";
import { ready } from "../lib/ready.js";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => {
  socket.on("order", (value, answer) => {
    const { success, data } = order.safeParse(value);
    if (!success || typeof answer !== "function") return socket.disconnect(true);
    answer(receiptOf(data));
  });
});
http.listen(0, "127.0.0.1", 1024, () => ready(http.address().port));
