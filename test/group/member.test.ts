// Memberships of a channel in groups, and their end.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Group, type GroupOwner } from "../../src/group/group.ts";
import { Member } from "../../src/group/member.ts";
import { type BackplaneListener, createChannelStore, MemoryBackplane, type SendData } from "../../src/index.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { until } from "../support/wait.ts";

describe("a member", () => {
  it("has left all its groups, of all stores, when its close callback runs", async () => {
    const stores = [createChannelStore(), createChannelStore()];
    const left: string[] = [];
    const member = new MemoryChannel("websocket", {
      close: () => left.push(`close ${stores.map((store) => store.size("a") + store.size("b")).join(" ")}`),
    });
    for (const store of stores) for (const group of ["a", "b"]) store.addToGroup(group, member.channel);
    member.channel.onClose(() => left.push("onClose"));
    member.leave();
    await until(() => left.length > 1, "it is told");
    assert.deepEqual(left, ["close 0 0", "onClose"]);
    assert.deepEqual(
      stores.map((store) => store.groups()),
      [[], []],
    );
  });

  it("is not added when its channel has ended", async () => {
    const told: string[] = [];
    const store = createChannelStore({ onJoin: () => told.push("join"), onLeave: () => told.push("leave") });
    const member = new MemoryChannel("websocket", { close: () => told.push("close") });
    member.leave();
    await until(() => told.length > 0, "it is told");
    store.addToGroup("a", member.channel);
    assert.deepEqual([told, store.size("a"), store.groups()], [["close"], 0, []]);
  });

  it("leaves each group once, in any order of leaving, also while others leave", async () => {
    const told: string[] = [];
    const member = new MemoryChannel();
    const store = createChannelStore({
      onLeave: (group, channel) => {
        told.push(group);
        // Each membership ends once.
        for (const other of ["a", "b", "c", "d"]) store.removeFromGroup(other, channel);
      },
    });
    for (const group of ["a", "b", "c", "d"]) store.addToGroup(group, member.channel);
    store.removeFromGroup("b", member.channel);
    assert.deepEqual(told, ["b", "a", "c", "d"]);
    for (const group of ["d", "c"]) store.addToGroup(group, member.channel);
    member.leave();
    await until(() => told.length > 5, "it has left");
    assert.deepEqual(told.slice(4), ["d", "c"]);
  });

  it("finds and leaves each of 4,000 groups with work that does not grow with their number", () => {
    const count = 4000;
    const member = new MemoryChannel();
    let steps = 0;
    const owner = { source: {}, watch() {}, memberEnded() {}, report() {} } as unknown as GroupOwner;
    const groups = Array.from({ length: count }, (_, n) => new Group(String(n), owner));
    for (const group of groups) {
      assert.equal(group.find(member.channel), undefined);
      const joining = new Member(group, member.channel);
      let { next } = joining;
      Object.defineProperty(joining, "next", {
        get() {
          steps += 1;
          return next;
        },
        set(value) {
          next = value;
        },
      });
      group.add(joining);
    }
    for (const group of groups) assert.equal(group.find(member.channel)?.group, group);
    // The oldest first: the last of a list.
    for (const group of groups) assert.equal(group.remove(group.find(member.channel)!), true);
    assert.ok(steps < 2 * count, `${steps} steps`);
  });

  it("leaves hundreds of groups in the order in which it joined them, when it ends", async () => {
    const left: string[] = [];
    const store = createChannelStore({ onLeave: (group) => left.push(group) });
    const member = new MemoryChannel();
    const names = Array.from({ length: 300 }, (_, n) => `g${n}`);
    for (const name of names) store.addToGroup(name, member.channel);
    store.addToGroup("g7", member.channel, undefined, { presence: "here" });
    for (const name of names.slice(100, 200)) assert.equal(store.removeFromGroup(name, member.channel), true);
    assert.equal(store.removeFromGroup("g150", member.channel), false);
    store.addToGroup("g150", member.channel);
    assert.deepEqual(left, names.slice(100, 200));
    member.leave();
    await until(() => left.length > 300, "it has left");
    assert.deepEqual(left.slice(100), [...names.slice(0, 100), ...names.slice(200), "g150"]);
    assert.deepEqual(store.groups(), []);
  });

  it("may be a channel of another implementation, which is asked to report its end", () => {
    const ends: (() => void)[] = [];
    const foreign = {
      isOpen: true,
      transport: "websocket",
      send: () => true,
      onClose: (fn: () => void) => ends.push(fn),
    };
    const store = createChannelStore();
    store.addToGroup("a", foreign as never);
    store.addToGroup("b", foreign as never);
    assert.deepEqual([store.size("a"), store.broadcast("b", "x"), ends.length], [1, 1, 1]);
    for (const end of ends) end();
    assert.deepEqual(store.groups(), []);
  });

  it("may be a channel of another implementation, which is sent the messages in the form that its own send takes", async () => {
    const [inner, withIds] = [new MemoryChannel(), new MemoryChannel()];
    const wrap = ({ channel }: MemoryChannel) => ({
      isOpen: true,
      transport: channel.transport,
      send: (data: SendData) => channel.send(data),
      onClose: () => () => {},
    });
    const store = createChannelStore();
    store.addToGroup("a", wrap(inner) as never);
    store.addToGroup("a", wrap(withIds) as never, undefined, { ids: true });
    const { id } = await store.publish("a", "one");
    store.broadcast("a", "two");
    assert.deepEqual(inner.take(), ["one", "two"]);
    assert.deepEqual(withIds.take(), [JSON.stringify({ group: "a", id, data: "one" }), "two"]);
  });

  it("a channel of another implementation is asked once, however often it leaves and joins, and is removed from groups that it joins while it ends", () => {
    const ends: (() => void)[] = [];
    let isOver = false;
    const foreign = Object.freeze({
      isOpen: true,
      transport: "websocket",
      send: () => true,
      onClose: (fn: () => void) => (isOver ? fn() : ends.push(fn)),
    }) as never;
    const store = createChannelStore({
      onLeave: (group) => {
        if (isOver && group === "a") store.addToGroup("c", foreign);
      },
    });
    for (let times = 0; times < 3; times++) {
      store.addToGroup("a", foreign);
      store.removeFromGroup("a", foreign);
    }
    assert.equal(ends.length, 1);
    for (const group of ["a", "b"]) store.addToGroup(group, foreign);
    isOver = true;
    for (const end of ends) end();
    assert.deepEqual(store.groups(), []);
  });

  it("leaves all its groups when the reporter of an error throws as well", async (t) => {
    const shown: unknown[] = [];
    t.mock.method(console, "error", (...args: unknown[]) => shown.push(args[0]));
    const told: string[] = [];
    const store = createChannelStore({
      onLeave: (group) => {
        throw new Error(group);
      },
      onError: () => {
        throw new Error("second");
      },
    });
    const member = new MemoryChannel("websocket", { close: () => told.push("close") });
    for (const group of ["a", "b"]) store.addToGroup(group, member.channel);
    member.leave();
    await until(() => told.length > 0, "it is told");
    assert.deepEqual(store.groups(), []);
    assert.deepEqual(shown.length, 2);
  });

  it("receives a message once if it leaves in a callback of the delivery and comes back to catch up", async () => {
    const store = createChannelStore();
    const [first, second] = [new MemoryChannel(), new MemoryChannel()];
    for (const { channel } of [first, second]) store.addToGroup("a", channel);
    first.onSent = () => {
      store.removeFromGroup("a", second.channel);
      store.addToGroup("a", second.channel, undefined, { since: "" });
    };
    await store.publish("a", "one");
    assert.deepEqual(second.take(), ["one"]);
  });

  it("a member that another member's onReset has removed is not told of the reset", async () => {
    const told: string[] = [];
    const listeners: BackplaneListener[] = [];
    class Lossy extends MemoryBackplane {
      override subscribe(group: string, listener: BackplaneListener): Promise<string | undefined> {
        listeners.push(listener);
        return super.subscribe(group, listener);
      }
    }
    const store = createChannelStore({ backplane: new Lossy() });
    const [first, second] = [new MemoryChannel(), new MemoryChannel()];
    const others = new Map([
      [first, second],
      [second, first],
    ]);
    for (const [member, other] of others) {
      store.addToGroup("a", member.channel, undefined, {
        onReset: () => {
          told.push("reset");
          store.removeFromGroup("a", other.channel);
        },
      });
    }
    await store.publish("a", "one");
    listeners[0]!.gap();
    await until(() => told.length > 0, "one is told");
    assert.deepEqual(told, ["reset"]);
  });

  it("is not added with a presence that JSON cannot express: BAD_DATA", () => {
    const store = createChannelStore();
    const member = new MemoryChannel();
    const circle: Record<string, unknown> = {};
    circle["itself"] = circle;
    for (const presence of [1n, circle, () => {}, Promise.reject(new Error("nobody is told: it was refused"))]) {
      assert.throws(() => store.addToGroup("a", member.channel, undefined, { presence }), { code: "BAD_DATA" });
    }
    assert.equal(store.size("a"), 0);
  });

  it("can be shown as present later, and keeps its attachment", async () => {
    const store = createChannelStore<string>();
    const member = new MemoryChannel();
    store.addToGroup("a", member.channel, "one");
    store.addToGroup("a", member.channel, "two", { presence: { name: "Ann" } });
    assert.deepEqual(
      (await store.presence("a")).map(({ info }) => info),
      [{ name: "Ann" }],
    );
    assert.deepEqual(store.members("a"), [[member.channel, "two"]]);
    await store.publish("a", "hello");
    await until(() => member.sent.length > 0, "it hears");
    store.removeFromGroup("a", member.channel);
    assert.deepEqual([await store.presence("a"), store.size("a"), member.take()], [[], 0, ["hello"]]);
  });
});
