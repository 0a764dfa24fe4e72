// @ts-check
// One process of the service: each client is a member of one group across all processes, and gets its own messages back.
import { createClient } from "redis";
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { redisBackplane } from "../../dist/src/redis.js";
import { answer } from "./child.js";
import { now } from "./clock.js";
import { settledMemory } from "./memory.js";
import { published } from "./messages.js";

/** @type {{ redisPort: number, pingIntervalMs?: number, backlog?: number }} */
const { redisPort, pingIntervalMs, backlog } = JSON.parse(process.argv[2] ?? "{}");
const GROUP = "all";
const store = createChannelStore({
  backplane: redisBackplane(createClient({ url: `redis://127.0.0.1:${redisPort}` })),
});
let errors = 0;
const server = await serve(
  (request) =>
    withChannel(request, (channel) => {
      store.addToGroup(GROUP, channel);
      channel.onMessage((message) => void channel.send(message));
    }),
  {
    port: 0,
    host: "127.0.0.1",
    pingIntervalMs,
    backlog,
    onError: (error) => console.error(`  server ${process.pid}, ${++errors}: ${error}`),
  },
);

answer({
  port: () => ({ port: server.port }),
  /** Collects garbage first. */
  memory: async () => ({ ...(await settledMemory()), open: store.size(GROUP), errors }),
  async publish(/** @type {{ sequence: number }} */ { sequence }) {
    const publishedAt = now();
    await store.publish(GROUP, published(sequence));
    return { publishedAt };
  },
});
