// WebSocket echo on unichannel, inside an application of uWebSockets.js.
import uws from "@trufflesuite/uws-js-unofficial";
import { withChannel } from "../../dist/src/index.js";
import { attachUws } from "../../dist/src/uws.js";
import { ready } from "../lib/ready.js";

const app = uws.App();
let open = 0;
attachUws(app).route("/*", (request) =>
  withChannel(request, (channel) => {
    open++;
    channel.onMessage((message) => channel.send(message));
    channel.onClose(() => open--);
  }),
);
app.listen("127.0.0.1", 0, (socket) => ready(uws.us_socket_local_port(socket), () => open));
