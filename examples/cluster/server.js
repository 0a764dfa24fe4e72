// @ts-check
// One server process of a cluster. A message published in one process reaches the channels in all of them. Messages that a
// client missed come from the broker, whichever process it reconnects to.
import { createChannelStore, serve, withChannel } from "unichannel";

/** @param {string} broker @param {number} port @returns {Promise<import("unichannel").Backplane>} */
async function connect(broker, port) {
  if (broker === "nats") {
    const [{ connect }, { natsBackplane }] = await Promise.all([
      import("@nats-io/transport-node"),
      import("unichannel/nats"),
    ]);
    return natsBackplane(await connect({ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1 }));
  }
  const [{ createClient }, { redisBackplane }] = await Promise.all([import("redis"), import("unichannel/redis")]);
  return redisBackplane(createClient({ url: `redis://127.0.0.1:${port}` }));
}

const backplane = await connect(process.env["BROKER"] ?? "redis", Number(process.env["BROKER_PORT"] ?? 6379));
const store = createChannelStore({ backplane, history: { size: 1000, ttlMs: 300_000 } });

const server = await serve(
  async (request) => {
    const group = request.query.get("group") ?? "lobby";
    if (request.method === "POST") {
      const { id } = await store.publish(group, await request.text());
      return `published by process ${process.pid} as ${id}\n`;
    }
    if (request.path === "/who") {
      const members = await store.presence(group);
      return `${members.map(({ info }) => info).join("\n")}\n`;
    }
    return withChannel(request, (channel) => {
      // An EventSource that reconnects sends the last id that it saw.
      const since = request.lastEventId ?? request.query.get("since");
      store.addToGroup(group, channel, undefined, { since, presence: `somebody at process ${process.pid}` });
      channel.onMessage((message) => store.publish(group, message));
    });
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

process.send?.({ url: server.url });
process.once("SIGTERM", async () => {
  await server.stop();
  await store.close();
  process.exit();
});
