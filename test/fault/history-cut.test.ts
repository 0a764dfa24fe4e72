// A history that is read over a connection which is lost again and again, while others publish: it is whole, or it is refused.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const KEEP = { size: 100_000, ttlMs: 600_000 };
const BEFORE = 2000;
const ROUNDS = 6;
/** Enough that an answer takes several packets. */
const PADDING = " ".repeat(1000);

for (const name of ["redis", "nats", "processes"] as const satisfies readonly BrokerName[]) {
  describe(`a history (${name}) that is read while the connection is cut`, { skip: BROKER_KITS[name].skip }, () => {
    it("has no gap without a reset, or is refused", async (t) => {
      const broker = await BROKER_KITS[name].start();
      const proxy = await startTcpProxy(t, broker.port);
      const here = await BROKER_KITS[name].open(broker.port, { maxPendingBytes: 16_000_000 });
      const cut = await BROKER_KITS[name].open(proxy.port);
      let isOver = false;
      let count = 0;
      const publishing = async (): Promise<void> => {
        for (; !isOver; count++) await here.backplane.publish("g", Buffer.from(`${count}${PADDING}`), KEEP);
      };
      t.after(async () => {
        isOver = true;
        await here.close();
        await cut.close();
        await broker.stop();
      });
      const first = await here.backplane.publish("g", Buffer.from("first"), KEEP);
      await Promise.all(
        Array.from({ length: BEFORE }, (_, n) => here.backplane.publish("g", Buffer.from(`${n}${PADDING}`), KEEP)),
      );
      count = BEFORE;
      const published = publishing();
      let whole = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const reading = cut.backplane.history("g", first).catch((error: { code: string }) => {
          assert.equal(error.code, "BACKPLANE_UNAVAILABLE");
        });
        await delay(5 * round);
        proxy.cut();
        await delay(20);
        proxy.restore();
        const found = await reading;
        if (found === undefined) continue;
        whole += 1;
        assert.equal(found.reset, false);
        const numbers = found.entries.map(({ payload }) => Number(Buffer.from(payload).toString()));
        assert.ok(numbers.length >= BEFORE, `${numbers.length} of ${BEFORE}`);
        assert.deepEqual(
          numbers,
          numbers.map((_, n) => n),
        );
      }
      isOver = true;
      await published;
      // Undisturbed, it is whole.
      for (let attempt = 0; whole === 0 || attempt === 0; attempt++) {
        const found = await cut.backplane.history("g", first).catch(() => delay(100));
        if (found === undefined) continue;
        assert.deepEqual([found.reset, found.entries.length], [false, count]);
        return;
      }
    });
  });
}
