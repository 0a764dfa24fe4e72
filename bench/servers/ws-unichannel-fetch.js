// @ts-check
// WebSocket echo on unichannel, inside Bun.serve or Deno.serve.
import { withChannel } from "../../dist/src/index.js";
import { fetchListening } from "../lib/fetch-listening.js";
import { ready } from "../lib/ready.js";

let open = 0;
const { port } = fetchListening((request) =>
  withChannel(request, (channel) => {
    open++;
    channel.onMessage((message) => channel.send(message));
    channel.onClose(() => open--);
  }),
);
ready(port, () => open);
