// @ts-check
// A group on unichannel: a member that sends a number has this number of messages published to all.
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      store.addToGroup("all", channel);
      channel.onMessage((count) => {
        for (let i = Number(count); i > 0; i--) void store.publish("all", MESSAGE);
      });
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => store.size("all"));
