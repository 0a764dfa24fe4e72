// @ts-check
// Event streams on unichannel: one message, and then silence.
import { withChannel } from "../../dist/src/index.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

let open = 0;
const server = await listening((request) =>
  withChannel(request, (channel) => {
    open++;
    channel.send("hello");
    channel.onClose(() => open--);
  }),
);
ready(server.port, () => open);
