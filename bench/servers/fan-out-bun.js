// A group on Bun.serve: its own topics. Runs on Bun.
import { serveSockets } from "../lib/bun-sockets.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const server = serveSockets({
  open: (socket) => socket.subscribe("all"),
  message(_, count) {
    for (let i = Number(count); i > 0; i--) server.publish("all", MESSAGE);
  },
});
