// A group on Bun.serve: its own topics. Runs on Bun.
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

let open = 0;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request, self) => (self.upgrade(request) ? undefined : new Response(null, { status: 400 })),
  websocket: {
    open(socket) {
      open++;
      socket.subscribe("all");
    },
    close: () => open--,
    message(_, count) {
      for (let i = Number(count); i > 0; i--) server.publish("all", MESSAGE);
    },
  },
});
ready(server.port, () => open);
