// @ts-check
// One of several processes with a group across them, on unichannel: a member's messages reach all.
import { connect } from "@nats-io/transport-node";
import { createClient } from "redis";
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { natsBackplane } from "../../dist/src/nats.js";
import { redisBackplane } from "../../dist/src/redis.js";
import { ready } from "../lib/ready.js";

const [broker = "", port = ""] = process.argv.slice(2);
const store = createChannelStore({
  backplane:
    broker === "nats"
      ? natsBackplane(await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 }))
      : redisBackplane(createClient({ url: `redis://127.0.0.1:${port}` })),
});
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      store.addToGroup("all", channel);
      channel.onMessage((message) => void store.publish("all", message));
    }),
  { port: 0, host: "127.0.0.1" },
);
ready(server.port, () => store.size("all"));
