// A group on uWebSockets.js: its own topics.
import uws from "@trufflesuite/uws-js-unofficial";
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

let open = 0;
const app = uws.App();
app
  .ws("/*", {
    compression: uws.DISABLED,
    idleTimeout: 120,
    open(socket) {
      open++;
      socket.subscribe("all");
    },
    close: () => open--,
    message(_, count) {
      for (let i = Number(Buffer.from(count).toString()); i > 0; i--) app.publish("all", MESSAGE);
    },
  })
  .listen("127.0.0.1", 0, (socket) => ready(uws.us_socket_local_port(socket), () => open));
