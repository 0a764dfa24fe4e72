// @ts-check
// WebSocket echo on unichannel; with `deflate` messages are compressed.
import { serve, withChannel } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const options = process.argv[2] === "deflate" ? { compress: { thresholdBytes: 0 } } : {};
let open = 0;
const server = await serve(
  (request) =>
    withChannel(
      request,
      (channel) => {
        open++;
        channel.onMessage((message) => channel.send(message));
        channel.onClose(() => open--);
      },
      options,
    ),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => open);
