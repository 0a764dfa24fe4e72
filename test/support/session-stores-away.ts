// The ways in which a broker can be away from a session store: its connections cut, its process frozen, and killed and started
// again, with its files or without them. Each has a broker of its own, behind a proxy.

import type { TestContext } from "node:test";
import type { SessionStore } from "../../src/backplane/session-store.ts";
import type { AwayHarness } from "../contract/session-store.ts";
import type { Broker } from "./broker.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

export interface BrokerStores {
  start(): Promise<Broker>;
  /** Opens a session store whose calls are given up after a second. */
  open(port: number): Promise<{ readonly store: SessionStore; close(): Promise<void> }>;
}

export function sessionStoresAway(stores: BrokerStores): Record<string, () => Promise<AwayHarness>> {
  return {
    "its connections are cut": () =>
      harness(stores, {
        begin: async (_, proxy) => proxy.cut(),
        end: async (_, proxy) => proxy.restore(),
      }),
    "it is frozen": () =>
      harness(stores, {
        begin: async (broker) => broker.pause(),
        end: async (broker) => broker.resume(),
      }),
    "it is killed and started again": () =>
      harness(stores, {
        begin: (broker) => broker.kill(),
        end: (broker) => broker.start(),
      }),
    "it is killed and started again without its files": () =>
      harness(stores, {
        losesRecords: true,
        begin: (broker) => broker.kill(),
        async end(broker) {
          broker.forget();
          await broker.start();
        },
      }),
  };
}

type Proxy = Awaited<ReturnType<typeof startTcpProxy>>;

interface Way {
  readonly losesRecords?: boolean;
  begin(broker: Broker, proxy: Proxy): Promise<void>;
  end(broker: Broker, proxy: Proxy): Promise<void>;
}

async function harness(stores: BrokerStores, { losesRecords = false, begin, end }: Way): Promise<AwayHarness> {
  const broker = await stores.start();
  const closing: (() => unknown)[] = [];
  const proxy = await startTcpProxy(
    { after: (fn: () => unknown) => closing.push(fn) } as unknown as TestContext,
    broker.port,
  );
  return {
    losesRecords,
    async open() {
      const { store, close } = await stores.open(proxy.port);
      closing.unshift(close);
      return store;
    },
    begin: () => begin(broker, proxy),
    end: () => end(broker, proxy),
    async close() {
      for (const fn of closing) await fn();
      await broker.stop();
    },
  };
}
