// @ts-check
// WebSocket echo on unichannel; with `deflate` messages are compressed.
import { withChannel } from "../../dist/src/index.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

const options = process.argv[2] === "deflate" ? { compress: { thresholdBytes: 0 } } : {};
let open = 0;
const server = await listening((request) =>
  withChannel(
    request,
    (channel) => {
      open++;
      channel.onMessage((message) => channel.send(message));
      channel.onClose(() => open--);
    },
    options,
  ),
);
ready(server.port, () => open);
