// Losses of a broker's data, and the messages of every member: event streams, WebSockets, polls, and sessions on each carrier,
// in two processes. Each is told of a gap in the words of the guide before anything newer. Nothing comes twice or out of order,
// and later messages arrive.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Broker } from "../support/broker.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { allHeard, type GapProcess, gapProcess } from "../support/gap-process.ts";
import { connectNats } from "../support/nats.ts";
import { needs } from "../support/needs.ts";
import { redisCommand, startRedis } from "../support/redis.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";

interface Cluster {
  readonly broker: Broker;
  /** On the way of the second process to the broker. */
  readonly proxy: TcpProxy;
  readonly processes: readonly [GapProcess, GapProcess];
}

const STREAM_CONFIG = {
  subjects: ["unichannel.g.>"],
  storage: "file",
  retention: "limits",
  max_msgs_per_subject: 1000,
};
/** Where the messages of the group are in Redis. */
const STREAM_KEY = "{unichannel}:stream:g";
const COUNTER_KEY = "{unichannel}:count:g";

/** While all are connected, and have heard all. */
const WAYS: readonly (readonly [broker: BrokerName, what: string, empty: (broker: Broker) => Promise<unknown>])[] = [
  ["redis", "is emptied with FLUSHALL", ({ port }) => redisCommand(port, ["FLUSHALL"])],
  ["redis", "loses the keys of the group", ({ port }) => redisCommand(port, ["DEL", STREAM_KEY, COUNTER_KEY])],
  ["redis", "is killed and comes back empty", comeBackEmpty],
  ["nats", "has its stream deleted", ({ port }) => jetStream(port, "STREAM.DELETE.unichannel")],
  ["nats", "has its stream deleted and made again by somebody else", makeAgain],
  ["nats", "is killed and comes back empty", comeBackEmpty],
];

for (const [name, what, empty] of WAYS) {
  describe(`when a broker (${name}) ${what}`, { skip: skipOf(name) }, () => {
    it("every member in every process is told before it receives later messages", async (t) => {
      const { broker, processes } = await cluster(t, name);
      await publish(processes[0], "1", "2", "3");
      await allHeard(processes, "3");
      await empty(broker);
      await publish(processes[1], "4", "5");
      await allHeard(processes, "5");
      expectAll(processes, ["1", "2", "3", "reset", "4", "5"]);
    });
  });
}

interface Loss {
  readonly broker: BrokerName;
  readonly by: string;
  readonly lose: (broker: Broker) => Promise<unknown>;
  /** The messages of members that had read everything, and of those in the process that was behind. */
  readonly here: readonly string[];
  readonly behind: readonly string[];
}

const ALL = ["1", "2", "3", "4", "5", "6"];

/** While the second process cannot reach the broker. */
const LOSSES: readonly Loss[] = [
  {
    ...{ broker: "redis", by: "XTRIM", here: [...ALL, "7"], behind: ["1", "2", "reset", "5", "6", "7"] },
    lose: ({ port }) => redisCommand(port, ["XTRIM", STREAM_KEY, "MAXLEN", "2"]),
  },
  {
    ...{ broker: "redis", by: "XDEL of one", here: [...ALL, "7"], behind: ["1", "2", "3", "reset", "5", "6", "7"] },
    lose: xdel,
  },
  {
    ...{ broker: "redis", by: "DEL", here: [...ALL, "reset", "7"], behind: ["1", "2", "reset", "7"] },
    lose: ({ port }) => redisCommand(port, ["DEL", STREAM_KEY, COUNTER_KEY]),
  },
  {
    ...{ broker: "redis", by: "FLUSHALL", here: [...ALL, "reset", "7"], behind: ["1", "2", "reset", "7"] },
    lose: ({ port }) => redisCommand(port, ["FLUSHALL"]),
  },
  {
    ...{ broker: "nats", by: "a limit of the stream", here: [...ALL, "7"], behind: ["1", "2", "reset", "5", "6", "7"] },
    lose: ({ port }) => limit(port, 2),
  },
  {
    ...{ broker: "nats", by: "a purge", here: [...ALL, "7"], behind: ["1", "2", "reset", "5", "6", "7"] },
    lose: ({ port }) => jetStream(port, "STREAM.PURGE.unichannel", { keep: 2 }),
  },
];

for (const { broker: name, by, lose, here, behind } of LOSSES) {
  describe(`when a broker (${name}) loses messages by ${by} that a process has not read`, {
    skip: skipOf(name),
  }, () => {
    it("its members are told, then receive the kept messages; other members receive everything", async (t) => {
      const { broker, proxy, processes } = await cluster(t, name);
      await publish(processes[0], "1", "2");
      await allHeard(processes, "2");
      proxy.cut();
      await publish(processes[0], "3", "4", "5", "6");
      await allHeard([processes[0]], "6");
      await lose(broker);
      proxy.restore();
      // The kept messages, before the limit removes more of them.
      if (behind.includes("6")) await allHeard([processes[1]], "6");
      await publish(processes[0], "7");
      await allHeard(processes, "7");
      expectAll([processes[0]], here);
      expectAll([processes[1]], behind);
    });
  });
}

describe("when a broker (redis) fails over to a replica that has fewer messages", { skip: skipOf("redis") }, () => {
  it("every member in every process is told before it receives later messages", async (t) => {
    const ends: End[] = [];
    t.after(() => endAll(ends));
    const replica = await startRedis();
    ends.unshift(() => replica.stop());
    const primary = await startRedis();
    ends.unshift(() => primary.stop());
    await redisCommand(replica.port, ["REPLICAOF", "127.0.0.1", String(primary.port)]);
    const proxy = await startTcpProxy(t, primary.port);
    const processes = [
      await open(t, ends, "redis", "a", proxy.port),
      await open(t, ends, "redis", "b", proxy.port),
    ] as const;
    await publish(processes[0], "1", "2");
    await allHeard(processes, "2");
    while (String((await redisCommand(replica.port, ["XLEN", STREAM_KEY]))[0]) !== "2") await delay(10);
    // From here on the replica gets nothing more.
    await redisCommand(replica.port, ["REPLICAOF", "NO", "ONE"]);
    await publish(processes[0], "lost");
    await allHeard(processes, "lost");
    await primary.kill();
    proxy.redirect(replica.port);
    proxy.cut();
    proxy.restore();
    await publish(processes[1], "3");
    await allHeard(processes, "3");
    expectAll(processes, ["1", "2", "lost", "reset", "3"]);
  });
});

for (const name of ["redis", "nats"] as const) {
  describe(`when a broker (${name}) is frozen for a while and goes on`, { skip: skipOf(name) }, () => {
    it("every member receives all confirmed messages, once and in order, and no reset", async (t) => {
      const { broker, processes } = await cluster(t, name);
      await publish(processes[0], "1");
      await allHeard(processes, "1");
      broker.pause();
      // Until it stands still.
      await assert.rejects(
        async () => {
          for (;;) await processes[0].store.publish("g", "2");
        },
        { code: "BACKPLANE_UNAVAILABLE" },
      );
      broker.resume();
      await publish(processes[1], "3");
      await publish(processes[0], "4");
      await allHeard(processes, "4");
      for (const { name: member, heard } of processes.flatMap(({ members }) => members)) {
        // Nobody knows whether a message came through that was not confirmed.
        assert.deepEqual(
          heard.filter((text) => text !== "2"),
          ["1", "3", "4"],
          member,
        );
      }
    });
  });
}

function skipOf(name: BrokerName): string | false {
  return needs(name === "redis" ? "redis-server" : "nats-server");
}

type End = () => Promise<unknown>;

/** The last one that was begun first. */
async function endAll(ends: readonly End[]): Promise<void> {
  for (const end of ends) await end();
}

async function cluster(t: TestContext, name: BrokerName): Promise<Cluster> {
  const ends: End[] = [];
  t.after(() => endAll(ends));
  const broker = await BROKER_KITS[name].start();
  ends.unshift(() => broker.stop());
  const proxy = await startTcpProxy(t, broker.port);
  const processes = [await open(t, ends, name, "a", broker.port), await open(t, ends, name, "b", proxy.port)] as const;
  return { broker, proxy, processes };
}

async function open(t: TestContext, ends: End[], name: BrokerName, process: string, port: number): Promise<GapProcess> {
  const opened = await BROKER_KITS[name].open(port);
  ends.unshift(() => opened.close());
  const found = await gapProcess(t, process, opened.backplane);
  ends.unshift(() => found.close());
  return found;
}

/** Each until it is confirmed: the broker is coming back. */
async function publish({ store }: GapProcess, ...all: readonly string[]): Promise<void> {
  for (const text of all) {
    const errors: unknown[] = [];
    for (let attempt = 0; attempt === errors.length; attempt++) {
      try {
        await store.publish("g", text);
      } catch (error) {
        errors.push(error);
        if (attempt === 100) throw new AggregateError(errors, "nothing can be published any more");
        await delay(100);
      }
    }
  }
}

/** An answer to a poll that says reset has all that is kept, and so some of what its client had before. */
function expectAll(processes: readonly GapProcess[], expected: readonly string[]): void {
  for (const { name, heard } of processes.flatMap(({ members }) => members)) {
    const reset = expected.indexOf("reset");
    if (!name.startsWith("poll") || reset === -1) assert.deepEqual(heard, expected, name);
    else {
      const after = expected.slice(reset);
      const told = heard.indexOf("reset");
      assert.deepEqual(heard.slice(0, told), expected.slice(0, told), name);
      const again = heard.slice(told + 1, -after.length + 1);
      assert.deepEqual(["reset", ...heard.slice(told + 1 + again.length)], after, name);
      assert.deepEqual([...new Set(again)].sort(), again, name);
    }
  }
}

async function comeBackEmpty(broker: Broker): Promise<void> {
  await broker.kill();
  broker.forget();
  await broker.start();
}

async function jetStream(port: number, request: string, body: object = {}): Promise<Record<string, unknown>> {
  const connection = await connectNats(port);
  try {
    const answer = (await connection.request(`$JS.API.${request}`, JSON.stringify(body))).json<{ error?: unknown }>();
    assert.equal(answer.error, undefined);
    return answer as Record<string, unknown>;
  } finally {
    await connection.close();
  }
}

/** By its last message: others go. */
async function limit(port: number, max_msgs: number): Promise<void> {
  const { config } = await jetStream(port, "STREAM.INFO.unichannel");
  await jetStream(port, "STREAM.UPDATE.unichannel", { ...(config as object), max_msgs });
}

/** At once, as no process of ours does. */
async function makeAgain({ port }: Broker): Promise<void> {
  await jetStream(port, "STREAM.DELETE.unichannel");
  await jetStream(port, "STREAM.CREATE.unichannel", { name: "unichannel", ...STREAM_CONFIG });
}

async function xdel({ port }: Broker): Promise<void> {
  const [entries] = (await redisCommand(port, ["XRANGE", STREAM_KEY, "-", "+"])) as [[string][]];
  await redisCommand(port, ["XDEL", STREAM_KEY, entries.at(-3)![0]]);
}
