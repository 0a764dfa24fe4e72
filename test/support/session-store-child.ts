// A process with a session store, for tests that give it a wrong clock or kill it. It executes the orders that it gets as lines of
// JSON, `[method, ...arguments]`, and answers each with a line.

import { createInterface } from "node:readline";
import { natsSessions } from "../../src/backplane/nats/sessions.ts";
import { redisSessions } from "../../src/backplane/redis/sessions.ts";
import type { SessionStore, TakeResult } from "../../src/backplane/session-store.ts";
import { systemClock } from "../../src/base/clock.ts";
import { connectNats } from "./nats.ts";
import { REDIS_CLIENTS } from "./redis.ts";

const { broker, port, name } = JSON.parse(process.argv[2]!) as { broker: string; port: number; name: string };
const store: SessionStore =
  broker === "nats"
    ? natsSessions(await connectNats(port), { name })
    : redisSessions(REDIS_CLIENTS.ioredis(port), { prefix: name });

const ORDERS: Record<string, (...args: never[]) => Promise<unknown>> = {
  now: async () => ({ date: Date.now(), made: Date.parse(new Date().toISOString()), clock: systemClock.now() }),
  put: (token: string, owner: string, text: string, ttlMs: number) => store.put(token, owner, Buffer.from(text), ttlMs),
  take: async (token: string, taker: string, ttlMs: number) => withText(await store.take(token, taker, { ttlMs })),
  claim: (token: string, taker: string, ttlMs: number) => store.claim(token, taker, ttlMs),
  announce: (process: string, address: string, ttlMs: number) => store.announce(process, address, ttlMs),
  locate: async (process: string) => (await store.locate(process)) ?? null,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [order, ...args] = JSON.parse(line) as [string, ...never[]];
  console.log(JSON.stringify((await ORDERS[order]!(...args)) ?? null));
}

function withText(answer: TakeResult): object {
  return answer.type === "taken" ? { type: "taken", snapshot: Buffer.from(answer.snapshot).toString() } : answer;
}
