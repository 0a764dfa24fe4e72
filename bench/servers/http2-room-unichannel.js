// @ts-check
// A room of event streams over HTTP/2 on unichannel.
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { certificate } from "../lib/certificate.js";
import { ready } from "../lib/ready.js";
import { countOf, GREETING, MESSAGE } from "../lib/room.js";

const store = createChannelStore();
const server = await serve(
  (request) => {
    if (request.path === "/member") {
      return withChannel(request, (channel) => {
        channel.send(GREETING);
        store.addToGroup("all", channel);
      });
    }
    for (let i = countOf(request.url); i > 0; i--) void store.publish("all", MESSAGE);
    return { status: 204 };
  },
  { port: 0, host: "127.0.0.1", tls: certificate(), http2: true },
);
ready(server.port, () => store.size("all"));
