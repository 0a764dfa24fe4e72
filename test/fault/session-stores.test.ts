// Sessions that move between processes whose connections to the broker are cut again and again: no session is ever in two
// processes, none is lost, and none goes back to an older snapshot.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { natsSessions } from "../../src/backplane/nats/sessions.ts";
import { redisSessions } from "../../src/backplane/redis/sessions.ts";
import type { SessionStore } from "../../src/backplane/session-store.ts";
import type { Broker } from "../support/broker.ts";
import { connectNats, startNats } from "../support/nats.ts";
import { needs } from "../support/needs.ts";
import { REDIS_CLIENTS, startRedis } from "../support/redis.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const TTL_MS = 600_000;
const PROCESSES = ["A", "B", "C"];
const TOKENS = Array.from({ length: 20 }, (_, i) => `session ${i}`);
/** Moves that each process makes, and at most, if none was cut. */
const MOVES = 60;
const MAX_MOVES = 10_000;
const PATIENCE_MS = 60_000;

interface Kit {
  /** Shortest time between two cuts: a connection must have time to be made. */
  readonly cutMs: number;
  readonly skip: string | false;
  start(): Promise<Broker>;
  open(t: TestContext, port: number): Promise<SessionStore>;
}

const KITS: Readonly<Record<string, Kit>> = {
  redis: {
    cutMs: 100,
    skip: needs("redis-server"),
    start: startRedis,
    async open(t, port) {
      const store = redisSessions(REDIS_CLIENTS.ioredis(port), { timeoutMs: 2000, onError() {} });
      t.after(() => store.close());
      return store;
    },
  },
  nats: {
    cutMs: 1500,
    skip: needs("nats-server"),
    start: startNats,
    async open(t, port) {
      const connection = await connectNats(port);
      const store = natsSessions(connection, { timeoutMs: 2000, onError() {} });
      t.after(async () => {
        await store.close();
        await connection.close();
      });
      return store;
    },
  },
};

for (const [name, kit] of Object.entries(KITS)) {
  describe(`a session store over ${name} whose connections are cut again and again`, { skip: kit.skip }, () => {
    it("gives each session to one process at a time, and loses none", async (t) => {
      const broker = await kit.start();
      const proxy = await startTcpProxy(t, broker.port);
      const stores = await Promise.all(PROCESSES.map(() => kit.open(t, proxy.port)));
      t.after(() => broker.stop());
      for (const token of TOKENS) assert.equal(await stores[0]!.put(token, "A", Buffer.from("0"), TTL_MS), true);

      const holders = new Map<string, string>();
      const counts = new Map(TOKENS.map((token) => [token, 0]));
      let failures = 0;
      const retried = async <T>(call: () => Promise<T>): Promise<T> => {
        for (const deadline = Date.now() + PATIENCE_MS; ; ) {
          try {
            return await call();
          } catch (error) {
            const { code } = error as { readonly code?: string };
            if (code !== "BACKPLANE_UNAVAILABLE" || Date.now() > deadline) throw error;
            failures += 1;
            await delay(20);
          }
        }
      };
      const work = async (store: SessionStore, process: string, seed: number): Promise<void> => {
        // A fast machine may have done all between two cuts.
        for (let move = 0; move < MOVES || (failures === 0 && move < MAX_MOVES); move++) {
          const token = TOKENS[(move * 7 + seed * 3) % TOKENS.length]!;
          const answer = await retried(() => store.take(token, process, { ttlMs: TTL_MS }));
          if (answer.type !== "taken") continue;
          assert.equal(await retried(() => store.claim(token, process, TTL_MS)), true);
          assert.equal(holders.get(token), undefined, token);
          holders.set(token, process);
          const count = Number(Buffer.from(answer.snapshot));
          assert.equal(count, counts.get(token), token);
          await delay(1);
          counts.set(token, count + 1);
          holders.delete(token);
          // False after a lost answer: another process may have taken it in between.
          await retried(() => store.put(token, process, Buffer.from(String(count + 1)), TTL_MS));
        }
      };
      let isCutting = true;
      const cutting = (async () => {
        for (let n = 0; isCutting; n++) {
          await delay(kit.cutMs + ((n * 37) % 150));
          proxy.cut();
          proxy.restore();
        }
      })();
      await Promise.all(stores.map((store, i) => work(store, PROCESSES[i]!, i)));
      isCutting = false;
      await cutting;
      assert.ok(failures > 0, "calls have failed");

      for (const token of TOKENS) {
        const answer = await retried(() => stores[0]!.take(token, "D", { ttlMs: TTL_MS }));
        assert.ok(answer.type === "taken", `${token}: ${answer.type}`);
        assert.equal(Number(Buffer.from(answer.snapshot)), counts.get(token), token);
      }
      const moves = [...counts.values()].reduce((sum, count) => sum + count, 0);
      assert.ok(moves >= MOVES, `${moves} moves`);
    });
  });
}
