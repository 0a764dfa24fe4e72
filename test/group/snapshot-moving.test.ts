// Members with a snapshot whose session goes on in another process: the function stays behind, and is given again in `restored`.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { StoresMover } from "../../src/group/moving.ts";
import {
  type ChannelStore,
  createChannelStore,
  MemoryBackplane,
  type Snapshot,
  type SnapshotContext,
} from "../../src/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { turn, until } from "../support/wait.ts";

const HISTORY = { size: 3 };

interface Pair {
  readonly a: ChannelStore;
  readonly b: ChannelStore;
  leave(from: MemoryChannel): readonly unknown[];
  join(to: MemoryChannel, moved: readonly unknown[]): void;
  /** Moves the memberships of a channel; `restored` is called in the other process, as for a session. */
  move(from: MemoryChannel, to: MemoryChannel, restored?: () => void): void;
}

function pair(t: TestContext): Pair {
  const broker = new MemoryBackplane();
  const [a, b] = [0, 1].map(() => createChannelStore({ backplane: broker.share(), history: HISTORY })) as [
    ChannelStore,
    ChannelStore,
  ];
  t.after(() => Promise.all([a.close(), b.close()]));
  const [leaving, joining] = [a, b].map((store) => new StoresMover({ store }, (error) => assert.fail(String(error))));
  const leave = ({ channel }: MemoryChannel): readonly unknown[] =>
    JSON.parse(JSON.stringify(leaving!.leave(channel))) as readonly unknown[];
  const join = ({ channel }: MemoryChannel, moved: readonly unknown[]): void => joining!.join(channel, moved);
  return {
    a,
    b,
    leave,
    join,
    move(from, to, restored) {
      join(to, leave(from));
      restored?.();
    },
  };
}

function counting(): { calls: SnapshotContext[]; snapshot: (context: SnapshotContext) => Promise<Snapshot> } {
  const calls: SnapshotContext[] = [];
  return {
    calls,
    async snapshot(context) {
      calls.push(context);
      await turn();
      return { message: `state ${calls.length}`, since: context.lastId };
    },
  };
}

const texts = (member: MemoryChannel): string[] => member.sent.map(({ body }) => String(body));

describe("a member with a snapshot that moves to another process", () => {
  it("goes on without a new state if all that it has missed is kept", async (t) => {
    const { a, b, move } = pair(t);
    const { calls, snapshot } = counting();
    const [before, after] = [new MemoryChannel(), new MemoryChannel()];
    // A broker does not say whether it has all since the beginning of a stream.
    await a.publish("g", "zero");
    a.addToGroup("g", before.channel, undefined, { snapshot });
    await until(() => before.sent.length === 1, "it has its state");
    move(before, after, () => b.addToGroup("g", after.channel, undefined, { snapshot }));
    await a.publish("g", "one");
    await until(() => after.sent.length === 1, "it has the message");
    assert.deepEqual([texts(after), calls.length], [["one"], 1]);
  });

  it("gets its first state there if it had none yet, and the messages after it", async (t) => {
    const { a, b, move } = pair(t);
    const [before, after] = [new MemoryChannel(), new MemoryChannel()];
    let signal: AbortSignal | undefined;
    a.addToGroup("g", before.channel, undefined, {
      snapshot: (context) => {
        ({ signal } = context);
        return new Promise<never>(() => {});
      },
    });
    await until(() => signal !== undefined, "it is asked");
    await a.publish("g", "one");
    const { snapshot } = counting();
    move(before, after, () => b.addToGroup("g", after.channel, undefined, { snapshot }));
    assert.equal(signal!.aborted, true);
    await until(() => texts(after).includes("state 1"), "it has its state");
    await a.publish("g", "two");
    await until(() => texts(after).at(-1) === "two", "it has what follows");
    assert.deepEqual(texts(after), ['{"group":"g","reset":true}', "state 1", "two"]);
    assert.deepEqual(texts(before), []);
  });

  it("gets a new state there when the history does not reach back", async (t) => {
    const { a, b, leave, join } = pair(t);
    const { calls, snapshot } = counting();
    const [before, after] = [new MemoryChannel(), new MemoryChannel()];
    a.addToGroup("g", before.channel, undefined, { snapshot });
    await until(() => before.sent.length === 1, "it has its state");
    const moved = leave(before);
    for (let n = 0; n < 10; n++) await a.publish("g", String(n));
    join(after, moved);
    b.addToGroup("g", after.channel, undefined, { snapshot });
    await until(() => after.sent.length === 2, "it has a state");
    await a.publish("g", "last");
    await until(() => after.sent.length === 3, "it has what follows");
    assert.deepEqual(texts(after), ['{"group":"g","reset":true}', "state 2", "last"]);
    assert.deepEqual(
      calls.map(({ isReset }) => isReset),
      [false, true],
    );
  });

  it("gets a new state also when its function comes after it was told of the loss", async (t) => {
    const { a, b, leave, join } = pair(t);
    const { snapshot } = counting();
    const [before, after] = [new MemoryChannel(), new MemoryChannel()];
    a.addToGroup("g", before.channel, undefined, { snapshot });
    await until(() => before.sent.length === 1, "it has its state");
    const moved = leave(before);
    for (let n = 0; n < 10; n++) await a.publish("g", String(n));
    join(after, moved);
    await until(() => after.sent.length === 4, "it has all that is kept");
    b.addToGroup("g", after.channel, undefined, { snapshot });
    await until(() => texts(after).at(-1) === "state 2", "it has a state");
    await a.publish("g", "last");
    await until(() => texts(after).at(-1) === "last", "it has what follows");
  });

  it("is told of a reset and gets what is kept if its function is not there again", async (t) => {
    const { a, move } = pair(t);
    const [before, after] = [new MemoryChannel(), new MemoryChannel()];
    let isAsked = false;
    a.addToGroup("g", before.channel, undefined, {
      snapshot: () => {
        isAsked = true;
        return new Promise<never>(() => {});
      },
    });
    await until(() => isAsked, "it is asked");
    move(before, after);
    await until(() => after.sent.length === 1, "it is told");
    assert.deepEqual(texts(after), ['{"group":"g","reset":true}']);
    await a.publish("g", "one");
    await until(() => after.sent.length === 2, "it has what follows");
  });
});
