// Members with a snapshot whose session goes on in another process: the function stays behind, and is given again in `restored`.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { StoresMover } from "../../src/group/moving.ts";
import {
  type Backplane,
  type BackplaneListener,
  type ChannelError,
  type ChannelStore,
  createChannelStore,
  MemoryBackplane,
  type Snapshot,
  type SnapshotContext,
} from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { deferred, turn, until } from "../support/wait.ts";

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

  it("keeps its functions and their time if it stays after all, because it cannot be stored", async (t) => {
    const errors: unknown[] = [];
    const clock = new VirtualClock();
    const store = createChannelStore({ clock, onError: (error) => errors.push(error) });
    t.after(() => store.close());
    const mover = new StoresMover({ store }, (error) => assert.fail(String(error)));
    const member = new MemoryChannel();
    let calls = 0;
    let resets = 0;
    store.addToGroup("g", member.channel, undefined, {
      snapshotTimeoutMs: 60_000,
      onReset: () => void (resets += 1),
      snapshot: () => {
        calls += 1;
        return new Promise<never>(() => {});
      },
    });
    await until(() => calls === 1, "it is asked");
    mover.join(member.channel, mover.leave(member.channel));
    await until(() => calls === 2, "it is asked again");
    await clock.advance(59_999);
    assert.deepEqual(errors, []);
    await clock.advance(1);
    await until(() => errors.length === 1, "the time is over");
    assert.equal((errors[0] as unknown as ChannelError).code, "SNAPSHOT_FAILED");
    mover.join(member.channel, mover.leave(member.channel));
    store.addToGroup("g", member.channel, undefined, { snapshot: () => ({ message: "state", since: "" }) });
    await until(() => texts(member).length === 1, "it has its state");
    assert.deepEqual([texts(member), resets], [["state"], 1]);
  });

  it("is asked for one state alone, also if its function comes while it still receives what is kept", async (t) => {
    const broker = new MemoryBackplane();
    const backplane: Backplane = broker.share();
    const writer = createChannelStore({ backplane: broker.share(), history: HISTORY });
    const reads: { promise: Promise<void>; resolve(): void }[] = [];
    const { history, subscribe } = backplane;
    let listener: BackplaneListener | undefined;
    backplane.subscribe = (group, given) => {
      listener = given;
      return subscribe.call(backplane, group, given);
    };
    backplane.history = async (...args) => {
      const found = await history.apply(backplane, args);
      const read = deferred();
      reads.push(read);
      await read.promise;
      return found;
    };
    const first = createChannelStore({ backplane: broker.share(), history: HISTORY });
    const store = createChannelStore({ backplane, history: HISTORY });
    t.after(() => Promise.all([writer, first, store].map((each) => each.close())));
    const [leaving, joining] = [first, store].map((each) => new StoresMover({ store: each }, () => {}));
    const [before, after] = [new MemoryChannel(), new MemoryChannel()];
    const { snapshot } = counting();
    first.addToGroup("g", before.channel, undefined, { snapshot });
    await until(() => before.sent.length === 1, "it has its state");
    const moved = JSON.parse(JSON.stringify(leaving!.leave(before.channel))) as unknown[];
    for (let n = 0; n < 10; n++) await writer.publish("g", String(n));
    joining!.join(after.channel, moved);
    await until(() => reads.length === 1, "the history is read");
    // A loss during the reading makes a second one necessary.
    listener!.gap();
    reads[0]!.resolve();
    await until(() => reads.length === 2, "it is read again");
    assert.ok(texts(after).length > 1, "it was told of the loss, and has what was kept");
    store.addToGroup("g", after.channel, undefined, { snapshot });
    await turn();
    for (let n = 10; n < 20; n++) await writer.publish("g", String(n));
    reads[1]!.resolve();
    const settle = setInterval(() => {
      for (const read of reads) read.resolve();
    }, 5);
    await until(() => texts(after).includes("state 2"), "it has a state");
    await writer.publish("g", "last");
    await until(() => texts(after).at(-1) === "last", "it has what follows");
    clearInterval(settle);
    const all = texts(after);
    const following = all.slice(all.indexOf("state 2") + 1);
    assert.equal(all.filter((text) => text.startsWith("state")).length, 1);
    assert.deepEqual(following, [...new Set(following)].sort(byNumber), "in order, and none twice");
  });
});

function byNumber(a: string, b: string): number {
  return (a === "last" ? 100 : Number(a)) - (b === "last" ? 100 : Number(b));
}
