// @ts-check
// A group on unichannel: a member that sends a number has this number of messages published to all.
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
const server = await listening(
  (request) =>
    withChannel(request, (channel) => {
      store.addToGroup("all", channel);
      channel.onMessage((count) => {
        for (let i = Number(count); i > 0; i--) void store.publish("all", MESSAGE);
      });
    }),
  { stores: { store } },
);
ready(server.port, () => store.size("all"));
