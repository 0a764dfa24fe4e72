// @ts-check
// Echo on a session of unichannel.
import { openSession, serve } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

let open = 0;
const server = await serve(
  (request) =>
    openSession(request, {
      open: () => open++,
      message: (message, channel) => channel.send(message),
      request: (data) => data,
      close: () => open--,
    }),
  { port: 0, host: "127.0.0.1", maxSessionsPerAddress: Number.POSITIVE_INFINITY },
);
ready(server.port, () => open);
