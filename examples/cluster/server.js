// @ts-check
// One server process of a cluster: everything that is the same in all of them. What is published in one reaches the
// channels of all; what a client missed while it was away comes from the broker, whichever process it comes back to.
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
      // An EventSource that comes back says what it has had.
      const since = request.lastEventId ?? request.query.get("since");
      store.addToGroup(group, channel, undefined, { since, presence: `somebody at process ${process.pid}` });
      channel.onReceive((message) => store.publish(group, message));
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
