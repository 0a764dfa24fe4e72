// Callbacks and functions of a store that fail in every way: the failure is reported, and no other member is affected.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type Backplane, createChannelStore, MemoryBackplane } from "../../src/index.ts";
import { FAILING_WAYS } from "../support/failing-ways.ts";
import { MemoryChannel } from "../support/memory-channel.ts";

for (const [way, fail] of Object.entries(FAILING_WAYS)) {
  describe(`a callback of a store that ${way}`, () => {
    for (const name of ["onJoin", "onLeave"] as const) {
      it(`a failing ${name} is reported to onError`, async () => {
        let errors = 0;
        const store = createChannelStore({ [name]: fail, onError: () => (errors += 1) });
        const { channel } = new MemoryChannel();
        store.addToGroup("g", channel);
        store.removeFromGroup("g", channel);
        await turn();
        assert.equal(errors, 1);
      });
    }

    it("a failing onReset is reported to onError, and the kept messages follow", async () => {
      let errors = 0;
      const store = createChannelStore({ onError: () => (errors += 1) });
      await store.publish("g", "kept");
      const member = new MemoryChannel();
      store.addToGroup("g", member.channel, undefined, { since: "unknown", onReset: fail });
      await turn();
      assert.equal(errors, 1);
      assert.equal(store.size("g"), 1);
    });

    it("a failing onError does not end the process or a channel", async (t) => {
      const printed = t.mock.method(console, "error", () => {});
      const store = createChannelStore({
        onJoin: () => {
          throw new Error("first");
        },
        onError: fail,
      });
      store.addToGroup("g", new MemoryChannel().channel);
      await turn();
      assert.equal(store.size("g"), 1);
      assert.equal(printed.mock.callCount(), 1);
    });

    it("a failing function of broadcast is reported for each member", async () => {
      let errors = 0;
      const store = createChannelStore({ onError: () => (errors += 1) });
      store.addToGroup("g", new MemoryChannel().channel);
      store.addToGroup("g", new MemoryChannel().channel);
      assert.equal(store.broadcast("g", fail as () => string), 0);
      await turn();
      assert.equal(errors, 2);
    });

    it("a failing encode of a codec makes publish reject", async () => {
      const codec = { encode: fail, decode: () => "" } as never;
      const store = createChannelStore<unknown, string>({ codec });
      const outcome = await store.publish("g", "x").then(
        () => "resolved",
        () => "rejected",
      );
      assert.equal(outcome, "rejected");
    });
  });
}

describe("a store", () => {
  it("refuses options that it does not know, and values that mean nothing", () => {
    const bad = { code: "BAD_OPTION" };
    assert.throws(() => createChannelStore({ onjoin: () => {} } as object), bad);
    for (const size of [Number.NaN, -1, "100"]) {
      assert.throws(() => createChannelStore({ history: { size } } as object), bad);
    }
    const store = createChannelStore();
    const { channel } = new MemoryChannel();
    assert.throws(() => store.addToGroup("g", channel, undefined, { sinse: "" } as object), bad);
    assert.throws(() => store.addToGroup("g", channel, undefined, { since: 5 } as object), bad);
  });
});

describe("errors that concern no group", () => {
  const closing = (): Backplane =>
    Object.assign(new MemoryBackplane(), { close: () => Promise.reject(new Error("boom")) });

  it("are reported without one: closing the backplane failed", async () => {
    const contexts: unknown[] = [];
    const onError = (error: unknown, context: object): unknown => contexts.push([String(error), context]);
    await createChannelStore({ backplane: closing(), onError }).close();
    assert.deepEqual(contexts, [["Error: boom", { group: undefined, channel: undefined }]]);
  });

  it("are printed as errors of the store", async (t) => {
    const printed: unknown[] = [];
    t.mock.method(console, "error", (text: string) => void printed.push(text));
    await createChannelStore({ backplane: closing() }).close();
    assert.deepEqual(printed, ["unichannel: error of a store"]);
  });
});

describe("errors of a store without an onError", () => {
  it("are printed ten times for each kind, with the number of those that were left out", async (t) => {
    const said: string[] = [];
    t.mock.method(console, "error", (text: string) => void said.push(text));
    const store = createChannelStore({
      onJoin() {
        throw new Error("boom");
      },
    });
    for (let i = 0; i < 500; i++) store.addToGroup("g", new MemoryChannel().channel);
    await store.close();
    assert.deepEqual(said, [
      ...new Array(10).fill("unichannel: error in group g"),
      "unichannel: 490 more errors of groups (Error: boom) were left out in 10 s",
    ]);
  });
});
