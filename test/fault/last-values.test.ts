// Groups that keep the last value of each key, whose broker is killed and whose processes are all started again: newcomers and
// members that stay have the values that the publisher has.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelStore, createChannelStore } from "../../src/index.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { needs } from "../support/needs.ts";
import { until } from "../support/wait.ts";

interface Change {
  readonly key: string;
  /** Null: the key is removed. */
  readonly value: number | null;
}

const latest = (data: unknown): string | { key: string; isRemoved: true } => {
  const { key, value } = data as Change;
  return value === null ? { key, isRemoved: true } : key;
};

class Copy {
  readonly values: Map<string, number> = new Map();
  readonly member: MemoryChannel = new MemoryChannel();

  constructor(store: ChannelStore) {
    this.member.onSent = ({ body }) => {
      const { key, value, reset } = JSON.parse(String(body)) as Change & { readonly reset?: true };
      if (reset === true) this.values.clear();
      else if (value === null) this.values.delete(key);
      else this.values.set(key, value);
    };
    store.addToGroup("g", this.member.channel, undefined, { onReset: () => this.values.clear() });
  }
}

for (const name of ["redis", "nats"] as const satisfies readonly BrokerName[]) {
  describe(`last values of each key (${name})`, { skip: needs(`${name}-server`) }, () => {
    it("are right for newcomers and members, while the broker is killed and after all processes were started again", async (t) => {
      const kit = BROKER_KITS[name];
      const broker = await kit.start();
      const closing: (() => Promise<unknown>)[] = [];
      t.after(async () => {
        for (const close of closing.reverse()) await close();
        await broker.stop();
      });
      const open = async (): Promise<{ store: ChannelStore; close(): Promise<void> }> => {
        const { backplane, close } = await kit.open(broker.port, { timeoutMs: 1000 });
        const store = createChannelStore({
          backplane,
          history: { latest, size: 20, ttlMs: 60_000 },
          onError: () => {},
        });
        let isClosed = false;
        const closeBoth = async (): Promise<void> => {
          if (isClosed) return;
          isClosed = true;
          await store.close();
          await close();
        };
        closing.push(closeBoth);
        return { store, close: closeBoth };
      };
      const model = new Map<string, number>();
      const first = [await open(), await open()];
      /** A change is published until it is confirmed: the same value again changes nothing. */
      const change = async (store: ChannelStore, count: number): Promise<void> => {
        for (let n = 0; n < count; n++) {
          const key = String(Math.floor(Math.random() * 50));
          const value = Math.random() < 0.2 ? null : Math.floor(Math.random() * 1e6);
          if (value === null) model.delete(key);
          else model.set(key, value);
          for (;;) {
            const isDone = await store.publish("g", { key, value }).then(
              () => true,
              () => false,
            );
            if (isDone) break;
            await delay(50);
          }
        }
      };
      const copies: Copy[] = [];
      const agree = async (what: string): Promise<void> => {
        const expected = JSON.stringify([...model].sort());
        await until(() => copies.every(({ values }) => JSON.stringify([...values].sort()) === expected), what);
      };
      const changing = change(first[0]!.store, 300);
      for (let n = 0; n < 10; n++) {
        copies.push(new Copy(first[n % 2]!.store));
        await delay(20);
        if (n === 5) {
          await broker.kill();
          await delay(200);
          await broker.start();
        }
      }
      await changing;
      copies.push(new Copy(first[0]!.store), new Copy(first[1]!.store));
      await agree("all have the values after the broker was killed");
      for (const { close } of first) await close();
      copies.length = 0;
      const second = await open();
      copies.push(new Copy(second.store));
      await agree("a new process has the values");
      await change(second.store, 50);
      copies.push(new Copy(second.store));
      await agree("and the changes after it");
      assert.ok(model.size > 20);
    });
  });
}
