// disconnect and move: what one process says about the members of a group in all processes, in the order of its messages.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChannelStore, type ChannelStoreOptions, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { chance, LateBackplane } from "../support/late-backplane.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

interface User {
  readonly user: number;
}

/** Two stores as two processes have them, or one store twice. */
const KINDS: readonly (readonly [
  name: string,
  make: (options?: ChannelStoreOptions<User>) => readonly [ChannelStore<User>, ChannelStore<User>],
])[] = [
  [
    "without a backplane",
    (options) => {
      const store = createChannelStore<User>(options);
      return [store, store];
    },
  ],
  [
    "with a backplane",
    (options) => {
      const broker = new MemoryBackplane();
      return [
        createChannelStore<User>({ ...options, backplane: broker.share() }),
        createChannelStore<User>({ ...options, backplane: broker.share() }),
      ];
    },
  ],
];

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

/** A member, and what it was sent up to its end. */
function recorder(): { readonly member: MemoryChannel; readonly log: unknown[] } {
  const log: unknown[] = [];
  const member = new MemoryChannel("websocket", { close: ({ code, reason }) => log.push([code, reason]) });
  member.onSent = ({ body }) => log.push(body);
  return { member, log };
}

for (const [name, make] of KINDS) {
  describe(`disconnect ${name}`, () => {
    it("closes all members of the group in all processes, behind the messages before it, and nobody else", async () => {
      const [here, there] = make();
      const members = [recorder(), recorder(), recorder()] as const;
      here.addToGroup("g", members[0].member.channel);
      there.addToGroup("g", members[1].member.channel);
      here.addToGroup("other", members[2].member.channel);
      await turns();
      const before = here.publish("g", "before");
      const { id } = await here.disconnect("g", { code: 4001, reason: "signed out" });
      const { id: after } = await here.publish("g", "after");
      await turns();
      for (const { log } of members.slice(0, 2)) assert.deepEqual(log, ["before", [4001, "signed out"]]);
      assert.deepEqual(members[2].log, []);
      assert.deepEqual([here.size("g"), there.size("g")], [0, 0]);
      assert.deepEqual(
        (await there.history("g")).messages.map(({ id, data }) => [id, data]),
        [
          [(await before).id, "before"],
          [after, "after"],
        ],
      );
      const { messages, reset } = await there.history("g", id);
      assert.deepEqual([messages.map(({ data }) => data), reset], [["after"], false]);
    });

    it("closes only members whose attachment has all fields of `where`", async () => {
      const [here, there] = make();
      const [seven, eight, bare] = [recorder(), recorder(), recorder()];
      here.addToGroup("g", seven.member.channel, { user: 7 });
      there.addToGroup("g", eight.member.channel, { user: 8 });
      there.addToGroup("g", bare.member.channel);
      await turns();
      await here.disconnect("g", { where: { user: 7, toString: "x" } });
      await there.disconnect("g", { where: { user: 7 } });
      await turns();
      assert.deepEqual(
        [seven, eight, bare].map(({ log }) => log),
        [[[1000, ""]], [], []],
      );
    });

    it("concerns no channel that joins behind it, also with an earlier id", async () => {
      const [here] = make();
      const { id } = await here.publish("g", "one");
      await here.disconnect("g");
      await here.publish("g", "two");
      const { member, log } = recorder();
      here.addToGroup("g", member.channel, undefined, { since: id });
      await until(() => log.length > 0, "it has caught up");
      await turns();
      assert.deepEqual(log, ["two"]);
    });

    it("does not keep a message out of the history of a process", async () => {
      const [here] = make({ history: { size: 3 } });
      here.addToGroup("g", new MemoryChannel().channel);
      await turns();
      const { id } = await here.publish("g", "1");
      for (const text of ["2", "3", "4"]) {
        await here.publish("g", text);
        await here.disconnect("g", { where: { user: 1 } });
      }
      await turns();
      const { member, log } = recorder();
      here.addToGroup("g", member.channel, undefined, { since: id });
      await until(() => log.length === 3, "the three are there");
      assert.deepEqual(log, ["2", "3", "4"]);
    });

    it("goes on when a member's close callback throws or leaves for others", async () => {
      const errors: unknown[] = [];
      const [here] = make({ onError: (error) => errors.push(error) });
      const others = [recorder(), recorder()];
      const first = new MemoryChannel("websocket", {
        close: () => {
          here.removeFromGroup("g", others[0]!.member.channel);
          throw new Error("mine");
        },
      });
      here.addToGroup("g", first.channel);
      for (const { member } of others) here.addToGroup("g", member.channel);
      await turns();
      await here.disconnect("g");
      await turns();
      assert.deepEqual(others[1]!.log, [[1000, ""]]);
    });

    it("refuses wrong arguments, on both sides of each limit", async () => {
      const [here] = make();
      const text = (bytes: number): { where: { a: string } } => ({
        where: { a: "x".repeat(bytes - '{"a":""}'.length) },
      });
      await here.disconnect("g", text(4096));
      await here.disconnect("g", { code: 4999, reason: "x".repeat(123) });
      for (const wrong of [
        text(4097),
        { where: [] },
        { where: { a: {} } },
        { where: { a: NaN } },
        { where: 1 },
        { wher: {} },
      ]) {
        await assert.rejects(
          here.disconnect("g", wrong as object),
          { code: "BAD_OPTION" },
          JSON.stringify(wrong).slice(0, 30),
        );
      }
      for (const wrong of [
        { code: 1001.5 },
        { code: 1005 },
        { code: 5000 },
        { reason: "x".repeat(124) },
        { reason: 1 },
      ]) {
        await assert.rejects(here.disconnect("g", wrong as object), { code: "BAD_CLOSE" }, JSON.stringify(wrong));
      }
      await assert.rejects(here.disconnect(1 as unknown as string), { code: "BAD_OPTION" });
      await assert.rejects(here.move("g", "g"), { code: "BAD_OPTION" });
      await assert.rejects(here.move("g", 1 as unknown as string), { code: "BAD_OPTION" });
      await assert.rejects(here.move("g", "h", { keep: 1 as unknown as boolean }), { code: "BAD_OPTION" });
      await here.close();
      await assert.rejects(here.disconnect("g"), { code: "BACKPLANE_UNAVAILABLE" });
      await assert.rejects(here.move("g", "h"), { code: "BACKPLANE_UNAVAILABLE" });
    });
  });

  describe(`move ${name}`, () => {
    it("moves the members in all processes, with attachment, ids and presence, and tells the callbacks", async () => {
      const told: string[] = [];
      const tell = (what: string) => (group: string, _channel: unknown, attachment: User | undefined) => {
        told.push(`${what} ${group} ${attachment?.user}`);
      };
      const [here, there] = make({ onJoin: tell("join"), onLeave: tell("leave") });
      const [a, b] = [new MemoryChannel(), new MemoryChannel()];
      here.addToGroup("from", a.channel, { user: 1 }, { ids: true, presence: { name: "ann" } });
      there.addToGroup("from", b.channel, { user: 2 });
      await turns();
      await there.move("from", "to");
      await turns();
      const { id } = await here.publish("to", "hello");
      await here.publish("from", "nobody");
      await turns();
      assert.deepEqual(a.take().map(String), [JSON.stringify({ group: "to", id, data: "hello" })]);
      assert.deepEqual(b.take(), ["hello"]);
      assert.deepEqual(told.toSorted(), [
        "join from 1",
        "join from 2",
        "join to 1",
        "join to 2",
        "leave from 1",
        "leave from 2",
      ]);
      assert.deepEqual(
        (await here.presence("to")).map(({ info }) => info),
        [{ name: "ann" }],
      );
      assert.deepEqual(await here.presence("from"), []);
    });

    it("adds the members to the other group with `keep`, and only those of `where`", async () => {
      const [here, there] = make();
      const [a, b] = [new MemoryChannel(), new MemoryChannel()];
      here.addToGroup("from", a.channel, { user: 1 });
      there.addToGroup("from", b.channel, { user: 2 });
      await turns();
      await here.move("from", "to", { keep: true, where: { user: 2 } });
      await turns();
      await here.publish(["from", "to"], "once");
      await turns();
      assert.deepEqual([a.take(), b.take()], [["once"], ["once"]]);
      const sizes = new Set([here, there]);
      const count = (group: string): number => [...sizes].reduce((sum, store) => sum + store.size(group), 0);
      assert.deepEqual([count("from"), count("to")], [2, 1]);
    });
  });
}

describe("disconnect, over a backplane that is late with everything", () => {
  it("closes a member that catches up behind exactly the messages before it", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = chance(seed * 7919);
      const broker = new MemoryBackplane();
      const make = (): ChannelStore => createChannelStore({ backplane: new LateBackplane(broker.share(), random) });
      const [here, there] = [make(), make()];
      const { id } = await here.publish("g", "0");
      const { member, log } = recorder();
      there.addToGroup("g", new MemoryChannel().channel);
      await there.publish("g", "1");
      there.addToGroup("g", member.channel, undefined, { since: id });
      const expected: unknown[] = ["1"];
      for (let n = 2; n < 6; n++) {
        expected.push(String(n));
        void here.publish("g", String(n));
      }
      void here.disconnect("g", { code: 4000 });
      void here.publish("g", "after");
      await until(() => log.length > expected.length, "it is closed");
      await turns();
      assert.deepEqual(log, [...expected, [4000, ""]], `seed ${seed}`);
      await Promise.all([here.close(), there.close()]);
    }
  });
});
