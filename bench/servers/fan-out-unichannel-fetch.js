// @ts-check
// A group on unichannel, inside Bun.serve or Deno.serve.
import { createChannelStore, withChannel } from "../../dist/src/index.js";
import { fetchListening } from "../lib/fetch-listening.js";
import { ready } from "../lib/ready.js";

const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
const { port } = fetchListening((request) =>
  withChannel(request, (channel) => {
    store.addToGroup("all", channel);
    channel.onMessage((count) => {
      for (let i = Number(count); i > 0; i--) void store.publish("all", MESSAGE);
    });
  }),
);
ready(port, () => store.size("all"));
