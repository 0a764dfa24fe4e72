// @ts-check
// One of several processes with a group across them, on unichannel over Redis: what a member says, all hear.
import { createClient } from "redis";
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { redisBackplane } from "../../dist/src/redis.js";
import { ready } from "../lib/ready.js";

const [redisPort = ""] = process.argv.slice(2);
const store = createChannelStore({
  backplane: redisBackplane(createClient({ url: `redis://127.0.0.1:${redisPort}` })),
});
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      store.addToGroup("all", channel);
      channel.onReceive((message) => void store.publish("all", message));
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => store.size("all"));
