// @ts-check
// Parked long polls on unichannel: every channel is kept and never sent to.
import { serve, withChannel } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const parked = new Set();
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      parked.add(channel);
      channel.onClose(() => parked.delete(channel));
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => parked.size);
