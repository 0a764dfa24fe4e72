// A broker whose data others empty, delete or purge while all are connected. Every subscriber is told of the gap before
// anything newer, and publishing goes on.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Backplane, BackplaneListener } from "../../src/backplane/backplane.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { connectNats } from "../support/nats.ts";
import { needs } from "../support/needs.ts";
import { redisCommand } from "../support/redis.ts";
import { until } from "../support/wait.ts";

const KEEP = { size: 100, ttlMs: 600_000 };

/** Does something to the data of all groups, on a connection of its own. */
type Empty = (port: number) => Promise<unknown>;

const WAYS: readonly (readonly [broker: BrokerName, what: string, empty: Empty])[] = [
  ["redis", "emptied with FLUSHALL", (port) => redisCommand(port, ["FLUSHALL"])],
  ["nats", "whose stream is deleted", (port) => overStream(port, "DELETE")],
  ["nats", "whose stream is purged", (port) => overStream(port, "PURGE")],
];

for (const [name, what, empty] of WAYS) {
  const skip = needs(name === "redis" ? "redis-server" : "nats-server");
  describe(`a broker (${name}) ${what}`, { skip }, () => {
    it("reports the gap before newer messages, and delivers messages that are published later", async (t) => {
      const { port, backplane, heard } = await hearing(t, name);
      const before = await backplane.publish("g", Buffer.from("before"), KEEP);
      await backplane.publish("g", Buffer.from("lost"), KEEP);
      await until(() => heard.at(-1) === "lost", "both are heard");
      await empty(port);
      await publishing(backplane);
      await until(() => heard.at(-1) === "after", "it is heard");
      assert.equal(heard.filter((text) => text === "after").length, 1);
      if (what.endsWith("purged")) assert.deepEqual(heard, ["before", "lost", "after"], "all were heard here");
      else assert.deepEqual(heard, ["before", "lost", "gap", "after"]);
      assert.equal((await backplane.history("g", before)).reset, true, "what followed is not all there");
    });
  });
}

/** The first attempt after it may be refused: what it was to be kept in is gone. */
async function publishing(backplane: Backplane): Promise<void> {
  const outcomes: unknown[] = [];
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      return void (await backplane.publish("g", Buffer.from("after"), KEEP));
    } catch (error) {
      outcomes.push(error);
      await delay(100);
    }
  }
  throw new AggregateError(outcomes, "nothing can be published any more");
}

async function hearing(
  t: TestContext,
  name: BrokerName,
): Promise<{ readonly port: number; readonly backplane: Backplane; readonly heard: string[] }> {
  const broker = await BROKER_KITS[name].start();
  const opened = await BROKER_KITS[name].open(broker.port);
  t.after(async () => {
    await opened.close();
    await broker.stop();
  });
  const heard: string[] = [];
  const listener: BackplaneListener = {
    entry: ({ payload }) => heard.push(Buffer.from(payload).toString()),
    gap: () => heard.push("gap"),
  };
  await opened.backplane.subscribe("g", listener);
  return { port: broker.port, backplane: opened.backplane, heard };
}

async function overStream(port: number, verb: "DELETE" | "PURGE"): Promise<void> {
  const connection = await connectNats(port);
  try {
    const names = await connection.request("$JS.API.STREAM.NAMES", "");
    const { streams } = names.json<{ streams: readonly string[] }>();
    for (const stream of streams.filter((one) => !one.startsWith("KV_"))) {
      await connection.request(`$JS.API.STREAM.${verb}.${stream}`, "");
    }
  } finally {
    await connection.close();
  }
}
