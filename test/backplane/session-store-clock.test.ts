// Times to live are counted by the broker: a process whose clock is an hour fast or slow changes nothing.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { natsSessions } from "../../src/backplane/nats/sessions.ts";
import { redisSessions } from "../../src/backplane/redis/sessions.ts";
import type { SessionStore } from "../../src/backplane/session-store.ts";
import type { Broker } from "../support/broker.ts";
import { connectNats, startNats } from "../support/nats.ts";
import { needs } from "../support/needs.ts";
import { REDIS_CLIENTS, startRedis } from "../support/redis.ts";

const HOUR_MS = 3_600_000;
const TTL_MS = 600_000;
/** Long enough for some calls into another process, on a busy machine. */
const SHORT_MS = 5000;

interface Kit {
  readonly skip: string | false;
  start(): Promise<Broker>;
  open(t: TestContext, port: number, name: string): Promise<SessionStore>;
}

const KITS: Readonly<Record<string, Kit>> = {
  redis: {
    skip: needs("redis-server"),
    start: startRedis,
    async open(t, port, name) {
      const store = redisSessions(REDIS_CLIENTS.ioredis(port), { prefix: name });
      t.after(() => store.close());
      return store;
    },
  },
  nats: {
    skip: needs("nats-server"),
    start: startNats,
    async open(t, port, name) {
      const connection = await connectNats(port);
      const store = natsSessions(connection, { name });
      t.after(async () => {
        await store.close();
        await connection.close();
      });
      return store;
    },
  },
};

for (const [broker, kit] of Object.entries(KITS)) {
  describe(`a session store over ${broker} in a process whose clock is wrong`, { skip: kit.skip }, () => {
    let started: Broker;
    before(async () => {
      started = await kit.start();
    });
    after(() => started.stop());

    for (const [what, shiftMs] of [
      ["an hour fast", HOUR_MS],
      ["an hour slow", -HOUR_MS],
    ] as const) {
      it(`${what}: sessions and addresses live as long as they should, here and there`, async (t) => {
        const { port } = started;
        const name = `shifted-by-${shiftMs}`;
        const here = await kit.open(t, port, name);
        const there = child(t, { broker, port, name }, shiftMs);
        const { date, made, clock } = (await there("now")) as Record<string, number>;
        for (const time of [date!, made!, clock!]) assert.ok(Math.abs(time - Date.now() - shiftMs) < HOUR_MS / 2);

        await there("put", "there, short", "T", "1", SHORT_MS);
        await there("put", "there, long", "T", "2", TTL_MS);
        await there("announce", "T", "there", SHORT_MS);
        await here.put("here, short", "H", Buffer.from("3"), SHORT_MS);
        await here.put("here, long", "H", Buffer.from("4"), TTL_MS);
        await here.put("taken there", "H", Buffer.from("5"), TTL_MS);
        await here.announce("H", "here", SHORT_MS);
        assert.deepEqual(await there("take", "taken there", "T", SHORT_MS), { type: "taken", snapshot: "5" });
        assert.equal(await there("claim", "taken there", "T", SHORT_MS), true);
        assert.equal((await here.take("taken there", "H", { ttlMs: TTL_MS })).type, "owned");
        assert.equal(await here.locate("T"), "there");
        assert.equal(await there("locate", "H"), "here");

        await delay(SHORT_MS + 1000);
        assert.deepEqual(await here.take("there, short", "H", { ttlMs: TTL_MS }), { type: "unknown" });
        assert.deepEqual(await there("take", "here, short", "T", TTL_MS), { type: "unknown" });
        assert.deepEqual(await here.take("taken there", "H", { ttlMs: TTL_MS }), { type: "unknown" });
        assert.equal(await here.locate("T"), undefined);
        assert.equal(await there("locate", "H"), null);
        assert.equal((await here.take("there, long", "H", { ttlMs: TTL_MS })).type, "taken");
        assert.deepEqual(await there("take", "here, long", "T", TTL_MS), { type: "taken", snapshot: "4" });
      });
    }
  });
}

/** A process with a shifted clock. Returns a function that gives it an order and resolves to its answer. */
function child(t: TestContext, order: object, shiftMs: number): (...order: unknown[]) => Promise<unknown> {
  const path = (name: string): string => fileURLToPath(new URL(`../support/${name}.js`, import.meta.url));
  const process_ = spawn(
    process.execPath,
    ["--import", `file://${path("shifted-clock")}`, path("session-store-child"), JSON.stringify(order)],
    {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, UNICHANNEL_CLOCK_SHIFT: String(shiftMs) },
    },
  );
  t.after(() => process_.kill("SIGKILL"));
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  return async (...words) => {
    process_.stdin.write(`${JSON.stringify(words)}\n`);
    const { value, done } = await lines.next();
    assert.notEqual(done, true, "the child answers");
    return JSON.parse(String(value));
  };
}
