// @ts-check
// Plain channels on unichannel that are sent four messages when they open: the cost of a connection without a session.
import { serve, withChannel } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";
import { MESSAGE } from "../lib/room.js";

const MISSED = 4;

let open = 0;
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      open++;
      channel.onClose(() => open--);
      for (let i = 0; i < MISSED; i++) channel.send(MESSAGE);
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => open);
