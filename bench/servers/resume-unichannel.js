// @ts-check
// Sessions on unichannel that are sent four messages when they open, and four more for each that they send.
import { openSession, serve } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";
import { MESSAGE } from "../lib/room.js";

const MISSED = 4;

let open = 0;
/** @param {import("../../dist/src/index.js").Channel} channel */
const say = (channel) => {
  for (let i = 0; i < MISSED; i++) channel.send(MESSAGE);
};
const server = await serve(
  (request) =>
    openSession(request, {
      open: (channel) => {
        open++;
        say(channel);
      },
      message: (_, channel) => say(channel),
      close: () => open--,
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => open);
