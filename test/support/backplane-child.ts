// A process with a backplane, for tests that kill it: enters a group, says so, and stays.

import type { Backplane } from "../../src/backplane/backplane.ts";
import { natsBackplane } from "../../src/backplane/nats/backplane.ts";
import { redisBackplane } from "../../src/backplane/redis/backplane.ts";
import { connectNats } from "./nats.ts";
import { REDIS_CLIENTS, type RedisLibrary } from "./redis.ts";

export interface ChildOrder {
  readonly library: RedisLibrary | "nats";
  readonly port: number;
  readonly prefix: string;
  readonly aliveMs: number;
  readonly group: string;
  readonly key: string;
}

const order = JSON.parse(process.argv[2]!) as ChildOrder;
const { library, port, prefix, aliveMs } = order;
const backplane: Backplane =
  library === "nats"
    ? natsBackplane(await connectNats(port), { name: prefix, aliveMs })
    : redisBackplane(REDIS_CLIENTS[library](port), { prefix, aliveMs });
await backplane.enter(order.group, { key: order.key, payload: new Uint8Array() });
console.log("entered");
setInterval(() => {}, 60_000);
