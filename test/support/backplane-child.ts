// A process with a backplane, for tests that kill it: enters a group, says so, and stays.

import type { Backplane } from "../../src/backplane/backplane.ts";
import { natsBackplane } from "../../src/backplane/nats/backplane.ts";
import { redisBackplane } from "../../src/backplane/redis/backplane.ts";
import { hubBackplane } from "./hub.ts";
import { connectNats } from "./nats.ts";
import { REDIS_CLIENTS, type RedisLibrary } from "./redis.ts";

/** The broker, where it is, and the name under which it keeps the entries of this test. */
export type ChildOrder = { readonly group: string; readonly key: string } & (
  | {
      readonly library: RedisLibrary | "nats";
      readonly port: number;
      readonly prefix: string;
      readonly aliveMs: number;
    }
  | { readonly library: "processes"; readonly path: string }
);

const order = JSON.parse(process.argv[2]!) as ChildOrder;
const backplane = await open(order);
await backplane.enter(order.group, { key: order.key, payload: new Uint8Array() });
console.log("entered");
setInterval(() => {}, 60_000);

async function open(of: ChildOrder): Promise<Backplane> {
  if (of.library === "processes") return hubBackplane(of.path);
  const { library, port, prefix, aliveMs } = of;
  if (library === "nats") return natsBackplane(await connectNats(port), { name: prefix, aliveMs });
  return redisBackplane(REDIS_CLIENTS[library](port), { prefix, aliveMs });
}
