// @ts-check
// One process with many groups, each with one member: its members are WebSockets, each a member of many groups. A message to one group,
// from publish until its member has it. The groups are of the process alone, or go through Redis.
import { createClient } from "redis";
import { createChannelStore, serve, withChannel } from "../../dist/src/index.js";
import { redisBackplane } from "../../dist/src/redis.js";
import { answer } from "./child.js";
import { now } from "./clock.js";
import { published } from "./messages.js";

/** @type {{ redisPort?: number }} */
const { redisPort } = JSON.parse(process.argv[2] ?? "{}");
const store = createChannelStore(
  redisPort === undefined ? {} : { backplane: redisBackplane(createClient({ url: `redis://127.0.0.1:${redisPort}` })) },
);
/** Groups that are made before a message to the last of them shows that all are there. */
const STEP = 500;
/** @type {import("../../dist/src/index.js").Channel[]} */
const channels = [];
let groups = 0;
const server = await serve((request) => withChannel(request, (channel) => void channels.push(channel)), {
  port: 0,
  host: "127.0.0.1",
});

answer({
  port: () => ({ port: server.port }),
  /** Makes groups until there are so many, or the time is over. @param {{ count: number, patienceSeconds: number }} question */
  async grow({ count, patienceSeconds }) {
    const begin = now();
    const seconds = () => (now() - begin) / 1000;
    while (groups < count && seconds() < patienceSeconds) {
      const next = Math.min(count, groups + STEP);
      for (; groups < next; groups++) {
        const channel = channels[groups % channels.length];
        if (channel === undefined) throw new Error("no member is connected");
        store.addToGroup(`group-${groups}`, channel);
      }
      // The broker has answered for the groups that were made before.
      await store.publish(`group-${groups - 1}`, published(0));
    }
    return { groups, seconds: seconds() };
  },
  /** @param {{ sequence: number, group: number }} question */
  async publish({ sequence, group }) {
    const publishedAt = now();
    await store.publish(`group-${group}`, published(sequence));
    return { publishedAt };
  },
});
