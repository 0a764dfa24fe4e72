// @ts-check
// Event streams on unichannel: one message, and then silence.
import { serve, withChannel } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

let open = 0;
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      open++;
      channel.send("hello");
      channel.onClose(() => open--);
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => open);
