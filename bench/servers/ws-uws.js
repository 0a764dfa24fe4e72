// WebSocket echo on uWebSockets.js.
import uws from "@trufflesuite/uws-js-unofficial";
import { ready } from "../lib/ready.js";

let open = 0;
uws
  .App()
  .ws("/*", {
    compression: process.argv[2] === "deflate" ? uws.SHARED_COMPRESSOR : uws.DISABLED,
    maxPayloadLength: 4 * 1024 * 1024,
    idleTimeout: 120,
    open: () => open++,
    close: () => open--,
    message: (socket, message, isBinary) => socket.send(message, isBinary, process.argv[2] === "deflate"),
  })
  .listen("127.0.0.1", 0, (socket) => ready(uws.us_socket_local_port(socket), () => open));
