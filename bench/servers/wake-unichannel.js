// @ts-check
// Long polls of a group on unichannel; a message as soon as all wait.
import { createChannelStore, pollGroup, serve } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const POLLS = 1000;
const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

const store = createChannelStore();
const server = await serve(
  (request) => {
    const channel = pollGroup(request, store, "all");
    if (store.size("all") === POLLS) setImmediate(() => store.publish("all", MESSAGE));
    return channel;
  },
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => store.size("all"));
