// A process with a store over a broker, for tests that kill it. Each line of its input is a command: "join GROUP N" adds N members
// that are present, "leave GROUP N" removes N of them, "close" closes the store. It prints what its hooks
// are told, and "done" after each command.

import { createInterface } from "node:readline";
import type { Backplane } from "../../src/backplane/backplane.ts";
import { natsBackplane } from "../../src/backplane/nats/backplane.ts";
import { redisBackplane } from "../../src/backplane/redis/backplane.ts";
import { createChannelStore } from "../../src/index.ts";
import { MemoryChannel } from "./memory-channel.ts";
import { connectNats } from "./nats.ts";
import { REDIS_CLIENTS } from "./redis.ts";

export interface GroupChildOrder {
  readonly broker: "redis" | "nats";
  readonly port: number;
  readonly name: string;
  readonly aliveMs: number;
}

const { broker, port, name, aliveMs } = JSON.parse(process.argv[2]!) as GroupChildOrder;
const onError = (): void => {};
const backplane: Backplane =
  broker === "nats"
    ? natsBackplane(await connectNats(port), { aliveMs, onError })
    : redisBackplane(REDIS_CLIENTS.ioredis(port), { aliveMs, onError });
const store = createChannelStore({
  backplane,
  counts: true,
  onGroupStart: (group) => console.log(`told start ${group}`),
  onGroupEnd: (group) => console.log(`told end ${group}`),
  onError,
});
const members = new Map<string, MemoryChannel[]>();
let count = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const [command = "", group = "", number = "1"] = line.split(" ");
  const own = members.get(group) ?? [];
  members.set(group, own);
  for (let i = 0; i < Number(number); i++) {
    if (command === "join") {
      const member = new MemoryChannel();
      own.push(member);
      store.addToGroup(group, member.channel, undefined, { presence: `${name} ${(count += 1)}` });
    } else if (command === "leave") own.shift()?.leave();
  }
  if (command === "close") await store.close();
  console.log("done");
}
process.exit(0);
