// A backplane that is closed in whatever state it is: the promise resolves, what was asked is settled, and nothing is left, on
// this side or on the server.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { Backplane } from "../../src/backplane/backplane.ts";
import { systemClock, type Timer } from "../../src/base/clock.ts";
import type { Broker } from "../support/broker.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { connectNats } from "../support/nats.ts";
import { until } from "../support/wait.ts";

const KEEP = { size: 100_000, ttlMs: 600_000 };
const LISTENER = { entry() {}, gap() {} };

interface Site {
  readonly broker: Broker;
  readonly backplane: Backplane;
}

/** Brings a backplane into a state; what it returns is settled afterwards. */
type Reach = (site: Site) => Promise<readonly Promise<unknown>[]>;

const STATES: Readonly<Record<string, Reach>> = {
  "that was just made": async () => [],
  "that subscribes, publishes, reads and enters for the first time": async ({ backplane }) => asked(backplane),
  "that reads a long history and publishes": async ({ backplane }) => {
    const payload = Buffer.alloc(1000);
    await Promise.all(Array.from({ length: 800 }, () => backplane.publish("g", payload, KEEP)));
    await backplane.subscribe("g", LISTENER);
    return asked(backplane);
  },
  "whose broker is frozen": async ({ broker, backplane }) => {
    await backplane.subscribe("g", LISTENER);
    await backplane.enter("g", { key: "k", payload: Buffer.from("1") });
    broker.pause();
    return asked(backplane);
  },
  "whose broker is gone": async ({ broker, backplane }) => {
    await backplane.subscribe("g", LISTENER);
    await backplane.enter("g", { key: "k", payload: Buffer.from("1") });
    await broker.kill();
    // It is noticed, and it is tried again.
    let refused = 0;
    await until(() => {
      backplane.publish("g", Buffer.from("x"), KEEP).catch(() => (refused += 1));
      return refused > 0;
    }, "it cannot be reached");
    return asked(backplane);
  },
};

for (const name of ["redis", "nats", "processes"] as const satisfies readonly BrokerName[]) {
  describe(`a backplane (${name})`, { skip: BROKER_KITS[name].skip }, () => {
    for (const [state, reach] of Object.entries(STATES)) {
      it(`${state} closes, settles what was asked, and leaves no timer`, async (t) => {
        const timers = watchTimers(t);
        const broker = await BROKER_KITS[name].start();
        // A backplane that answers may be slow on a busy machine; one that does not answer is waited for.
        const opened = await BROKER_KITS[name].open(broker.port, {
          timeoutMs: state.startsWith("that") ? 10_000 : 3000,
        });
        t.after(async () => {
          // A test that failed has not closed it, and its timers would be taken for the next test's.
          broker.resume();
          await opened.close();
          await broker.kill();
          await broker.stop();
        });
        const { backplane } = opened;
        const asking = await reach({ broker, backplane });
        await backplane.close();
        for (const outcome of await Promise.allSettled(asking)) {
          if (outcome.status === "fulfilled") continue;
          assert.equal((outcome.reason as { code: string }).code, "BACKPLANE_UNAVAILABLE");
        }
        await until(() => timers.size === 0, `no timer is left of ${[...timers.values()].join("\n")}`);
        await assert.rejects(backplane.publish("g", Buffer.from("x"), KEEP), { code: "BACKPLANE_UNAVAILABLE" });
        await assert.rejects(backplane.subscribe("g", LISTENER), { code: "BACKPLANE_UNAVAILABLE" });
        if (name === "nats" && state.startsWith("that")) await noConsumers(broker.port);
      });
    }
  });
}

function asked(backplane: Backplane): Promise<unknown>[] {
  const asking = [
    backplane.publish("g", Buffer.from("x"), KEEP),
    backplane.history("g"),
    backplane.subscribe("h", LISTENER),
    backplane.enter("g", { key: "other", payload: Buffer.from("2") }),
    backplane.present("g"),
  ];
  // Settled before anybody looks.
  for (const one of asking) one.catch(() => {});
  return asking;
}

/** The timers of the system's clock that are pending, with where they were set. */
function watchTimers(t: TestContext): Map<Timer, string> {
  const pending = new Map<Timer, string>();
  const { setTimer, clearTimer } = systemClock;
  t.mock.method(systemClock, "setTimer", (fn: () => void, delayMs: number) => {
    const timer = setTimer(() => {
      pending.delete(timer);
      fn();
    }, delayMs);
    pending.set(timer, String(new Error(`${delayMs} ms`).stack));
    return timer;
  });
  t.mock.method(systemClock, "clearTimer", (timer: Timer) => {
    pending.delete(timer);
    clearTimer(timer);
  });
  return pending;
}

async function noConsumers(port: number): Promise<void> {
  const connection = await connectNats(port);
  try {
    for (let total = -1; total !== 0; ) {
      const names = (await connection.request("$JS.API.STREAM.NAMES", "")).json<{ streams: string[] | null }>();
      total = 0;
      for (const stream of names.streams ?? []) {
        const list = await connection.request(`$JS.API.CONSUMER.NAMES.${stream}`, "");
        total += list.json<{ total: number }>().total;
      }
    }
  } finally {
    await connection.close();
  }
}
