// A state, then exactly what follows it, while the broker is killed, frozen and emptied and the network of clients is cut: two
// processes' servers, clients on all carriers that come at any moment, and a state that changes all the time. One suite for all
// brokers.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { type Connection, connect } from "../../src/client/index.ts";
import {
  type ChannelStore,
  createChannelStore,
  json,
  openSession,
  type SnapshotContext,
  serve,
} from "../../src/index.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { CARRIERS, type CarrierKind } from "../support/session-client.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/wait.ts";

/** Short, so that members which are away for long need a new state. */
const HISTORY = { size: 50, ttlMs: 60_000 };

/** The state of the application: it is changed first, and then the change is published. */
class Counter {
  value = 0;
  /** Changes whose publishing was confirmed. */
  readonly confirmed: number[] = [];
  #isChanging = true;
  readonly #done: Promise<void>;

  constructor(store: ChannelStore) {
    this.#done = this.#change(store);
  }

  readonly read = async ({ lastId }: SnapshotContext): Promise<{ message: ReturnType<typeof json>; since: string }> => {
    await delay(Math.random() * 20);
    const message = json({ state: this.value });
    await delay(Math.random() * 20);
    return { message, since: lastId };
  };

  async stop(): Promise<void> {
    this.#isChanging = false;
    await this.#done;
  }

  async #change(store: ChannelStore): Promise<void> {
    while (this.#isChanging) {
      await this.changeOnce(store);
      await delay(2);
    }
  }

  /** Changes the state until a change is confirmed. */
  async changeOnce(store: ChannelStore): Promise<void> {
    for (;;) {
      const next = (this.value += 1);
      try {
        await store.publish("g", json({ next }));
        return void this.confirmed.push(next);
      } catch {
        // It is not known whether members get it. A state contains it.
        await delay(20);
      }
    }
  }
}

class Copy {
  readonly kind: CarrierKind;
  readonly connection: Connection;
  /** States, each with the changes that came after it. */
  readonly parts: { readonly state: number; readonly changes: number[] }[] = [];
  readonly wrong: string[] = [];

  constructor(t: TestContext, kind: CarrierKind, url: string) {
    this.kind = kind;
    this.connection = connect(url, {
      carriers: [kind],
      backoff: { firstMs: 50, capMs: 200 },
      WebSocket: WebSocket as never,
    });
    this.connection.onMessage((message) => {
      const { state, next } = JSON.parse(String(message)) as { readonly state?: number; readonly next: number };
      if (state !== undefined) this.parts.push({ state, changes: [] });
      else if (this.parts.length === 0) this.wrong.push(`${next} before a state`);
      else this.parts.at(-1)!.changes.push(next);
    });
    this.connection.onError(() => {});
    t.after(() => this.connection.close());
  }

  get value(): number {
    const last = this.parts.at(-1);
    return last === undefined ? -1 : Math.max(last.state, last.changes.at(-1) ?? 0);
  }

  check({ confirmed, value }: Counter): void {
    assert.deepEqual(this.wrong, [], this.kind);
    for (const { changes } of this.parts) {
      const sorted = [...new Set(changes)].sort((a, b) => a - b);
      assert.deepEqual(changes, sorted, `${this.kind}: in order, and none twice`);
    }
    const { state, changes } = this.parts.at(-1)!;
    const heard = new Set(changes);
    const missing = confirmed.filter((n) => n > state && !heard.has(n));
    assert.deepEqual(missing, [], `${this.kind}: all that was confirmed after the state ${state} of ${value}`);
  }
}

export function snapshotFaults(name: BrokerName, skip: string | false): void {
  describe(`members with a snapshot, whose broker (${name}) fails`, { skip }, () => {
    it("have the right state in the end, and after each state no change twice and none missing", async (t) => {
      const kit = BROKER_KITS[name];
      const broker = await kit.start();
      const closing: (() => Promise<unknown>)[] = [];
      t.after(async () => {
        for (const close of closing.reverse()) await close();
        await broker.stop();
      });
      const open = async (): Promise<ChannelStore> => {
        const { backplane, close } = await kit.open(broker.port, { timeoutMs: 1000 });
        const store = createChannelStore({ backplane, history: HISTORY, onError: () => {} });
        closing.push(() => store.close().then(close));
        return store;
      };
      const publisher = await open();
      const counter = new Counter(publisher);
      closing.push(() => counter.stop());
      const proxies = await Promise.all(
        [0, 1].map(async () => {
          const store = await open();
          const server = await serve(
            (request) =>
              openSession(request, {
                open: (channel) => store.addToGroup("g", channel, undefined, { snapshot: counter.read }),
              }),
            { port: 0 },
          );
          closing.push(() => server.stop());
          return startTcpProxy(t, server.port);
        }),
      );
      const copies: Copy[] = [];
      const join = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          for (const kind of CARRIERS) {
            copies.push(new Copy(t, kind, `http://127.0.0.1:${proxies[i % 2]!.port}/`));
          }
          await delay(20);
        }
      };
      const faults: (() => Promise<void>)[] = [
        async () => {
          for (const proxy of proxies) proxy.cut();
          await delay(500);
          for (const proxy of proxies) proxy.restore();
        },
        async () => {
          broker.pause();
          await delay(1500);
          broker.resume();
        },
        async () => {
          await broker.kill();
          await delay(300);
          await broker.start();
        },
        async () => {
          await broker.kill();
          broker.forget();
          await broker.start();
        },
      ];
      await join(4);
      for (const fault of faults) {
        const joining = join(2);
        await fault();
        await joining;
        const { length } = counter.confirmed;
        await until(() => counter.confirmed.length > length + HISTORY.size, "the history is full of new changes");
      }
      await counter.stop();
      // The last change may have been refused.
      await counter.changeOnce(publisher);
      await until(() => copies.every(({ value }) => value === counter.value), "all have the last change");
      await delay(200);
      for (const copy of copies) copy.check(counter);
      assert.ok(
        copies.some(({ parts }) => parts.length > 1),
        "some had to have a second state",
      );
    });
  });
}
