// No gap and no duplicate between missed and live messages: members join with the id of any message while others publish,
// over a backplane whose every answer comes late, in random order. A failure prints the seed of the random numbers.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChannelStore, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { chance, LateBackplane, late } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

interface Round {
  readonly stores: readonly ChannelStore[];
  readonly random: () => number;
  readonly messages: number;
}

/** Publishes and joins at random moments. Every member must receive all messages after its `since`, in order, once. */
async function run({ stores, random, messages }: Round): Promise<void> {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  /** Known ids, by the number of the message. */
  const ids: string[] = [];
  const members: { readonly member: MemoryChannel; readonly from: number; readonly isLive: boolean }[] = [];
  // One publisher, so that messages come in the order of the calls.
  const publisher = stores[0]!;
  let published = 0;
  const pending: Promise<unknown>[] = [];
  while (published < messages) {
    await late(random);
    const dice = random();
    if (dice < 0.5) {
      const count = 1 + Math.floor(random() * 4);
      for (let i = 0; i < count; i++) {
        const number = published++;
        pending.push(publisher.publish("g", String(number)).then(({ id }) => void (ids[number] = id)));
      }
    } else if (dice < 0.9) {
      if (ids.length === 0) continue;
      // Recent ids more often than old ones, and only ids that are known by now.
      const known = Object.keys(ids).map(Number);
      const from = random() < 0.5 ? known.at(-1)! : pick(known);
      const member = new MemoryChannel(random() < 0.5 ? "sse" : "websocket");
      members.push({ member, from: from + 1, isLive: false });
      pick(stores).addToGroup("g", member.channel, undefined, { since: ids[from]! });
    } else if (members.length > 0) {
      const [gone] = members.splice(Math.floor(random() * members.length), 1);
      gone!.member.leave();
    }
  }
  await Promise.all(pending);
  const count = published;
  await until(
    () => members.every(({ member, from }) => member.sent.length >= count - from),
    "everybody has had everything",
  );
  for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
  for (const { member, from } of members) {
    assert.deepEqual(
      member.take(),
      Array.from({ length: count - from }, (_, i) => String(from + i)),
    );
    member.leave();
  }
}

describe("joining with an id", () => {
  const history = { size: 100_000, ttlMs: 600_000 };

  it("leaves no gap and doubles nothing, whatever is published meanwhile (one process)", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const store = createChannelStore({ history });
      await named(seed, () => run({ stores: [store], random: chance(seed * 7919), messages: 150 }));
    }
  });

  it("leaves no gap and doubles nothing over a backplane that is late with everything", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = chance(seed * 104_729);
      const broker = new MemoryBackplane();
      const stores = [0, 1, 2].map(() =>
        createChannelStore({ history, backplane: new LateBackplane(broker.share(), random) }),
      );
      await named(seed, () => run({ stores, random, messages: 150 }));
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it("leaves no gap and doubles nothing where the log is much shorter than the list of missed messages", async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = chance(seed * 15_485_863);
      const broker = new MemoryBackplane();
      const stores = [0, 1].map(() =>
        createChannelStore({ history, backplane: new LateBackplane(broker.share(), random) }),
      );
      await named(seed, () => run({ stores, random, messages: 1500 }));
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  it("leaves no gap and doubles nothing where the broker often fails", async () => {
    for (let seed = 1; seed <= 3; seed++) {
      const random = chance(seed * 32_452_843);
      const broker = new MemoryBackplane();
      const told: unknown[] = [];
      const stores = [0, 1].map((number) =>
        createChannelStore({
          history,
          // Members of the publisher would be told of a reset if they had joined before it received anything.
          backplane: new LateBackplane(broker.share(), random, number * 0.3),
          onError: (error) => told.push(error),
        }),
      );
      await named(seed, () => run({ stores, random, messages: 60 }));
      for (const error of told) assert.equal((error as Error).message, "not now");
      await Promise.all(stores.map((store) => store.close()));
    }
  });

  /** Adds the seed to a failure. */
  async function named(seed: number, fn: () => Promise<void>): Promise<void> {
    try {
      await fn();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
