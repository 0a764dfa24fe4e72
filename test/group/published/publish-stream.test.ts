// Streams that a store publishes to a group, in one process and over a backplane: order, joining, ends, stopping, and the failures of
// sources and brokers.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { StreamView } from "../../../src/client/stream-view.ts";
import { PUBLISHERS } from "../../../src/group/own-groups.ts";
import {
  type Backplane,
  ChannelError,
  type ChannelStore,
  type ChannelStoreOptions,
  createChannelStore,
  jsonMessages,
  MemoryBackplane,
  type PartOf,
  type Publishable,
  type StreamMessage,
  type StreamResult,
} from "../../../src/index.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { MemoryChannel } from "../../support/memory-channel.ts";
import { holds, type Same } from "../../support/types.ts";
import { deferred, until } from "../../support/wait.ts";

// The timers of a store do not keep a process alive.
let alive: NodeJS.Timeout;
before(() => (alive = setInterval(() => {}, 1000)));
after(() => clearInterval(alive));

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

/** A viewer, and what it has received. */
class Viewer {
  readonly channel = new MemoryChannel();
  readonly view = new StreamView();
  readonly messages: StreamMessage[] = [];

  constructor(store: ChannelStore, since: string | null = "", group = "g") {
    this.channel.onSent = ({ body }) => {
      this.messages.push(JSON.parse(String(body)) as StreamMessage);
      this.view.receive(String(body));
    };
    store.addToGroup(group, this.channel.channel, undefined, { since });
  }
}

async function* words(...texts: readonly string[]): AsyncGenerator<string> {
  for (const text of texts) yield text;
}

/** A source whose parts the test gives, and which tells how it was ended. */
class Tap {
  readonly log: string[] = [];
  #waiting: ((result: IteratorResult<unknown>) => void) | undefined;
  readonly #parts: unknown[] = [];
  read = 0;

  give(...parts: readonly unknown[]): void {
    this.#parts.push(...parts);
    if (this.#waiting !== undefined) this.#waiting({ done: false, value: this.#parts.shift() });
    this.#waiting = undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<never> {
    return {
      next: () => {
        this.read += 1;
        if (this.#parts.length > 0) return Promise.resolve({ done: false, value: this.#parts.shift() as never });
        return new Promise((resolve) => {
          this.#waiting = resolve as never;
        });
      },
      return: () => {
        this.log.push("return");
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

type Make = (options?: ChannelStoreOptions) => ChannelStore;

const KINDS: readonly (readonly [name: string, make: () => Make])[] = [
  ["without a backplane", () => (options) => createChannelStore(options)],
  [
    "over a backplane",
    () => {
      const backplane = new MemoryBackplane();
      return (options) => createChannelStore({ backplane: backplane.share(), ...options });
    },
  ],
];

for (const [kind, maker] of KINDS) {
  describe(`publishStream ${kind}`, () => {
    it("gives viewers a beginning, the text in order and an end", async () => {
      const store = maker()();
      const viewer = new Viewer(store);
      const result = await store.publishStream("g", words("a", "b", "c"), { info: { by: "ann" } });
      await until(() => viewer.view.state === "done", "the end has come");
      assert.deepEqual(result, { stream: result.stream, end: "done" });
      const { stream } = result;
      assert.deepEqual(viewer.messages, [
        { stream, n: 0, begin: true, info: { by: "ann" } },
        { stream, n: 1, text: "abc" },
        { stream, n: 2, end: "done" },
      ]);
      await store.close();
    });

    it("gives a viewer that joins late, or after the end, the whole text, also of more messages than the history has", async () => {
      const store = maker()({ history: { size: 10 } });
      const tap = new Tap();
      const early = new Viewer(store);
      const over = store.publishStream("g", tap, { coalesceMs: 0 });
      const texts = Array.from({ length: 300 }, (_, i) => `${i} `);
      let late: Viewer | undefined;
      for (const [i, text] of texts.entries()) {
        tap.give(text);
        await until(() => early.view.text.endsWith(text), `${text} has come`);
        if (i === 200) late = new Viewer(store);
      }
      assert.equal(await store.stopStream("g"), true);
      assert.equal((await over).end, "stopped");
      const last = new Viewer(store);
      await until(() => last.view.state === "stopped" && late!.view.state === "stopped", "the end has come");
      for (const { view } of [early, late!, last]) {
        assert.deepEqual([view.text, view.isWhole, view.state], [texts.join(""), true, "stopped"]);
      }
      await store.close();
    });

    it("joins the parts that come within coalesceMs to one message, and sends the first at once", async () => {
      const clock = new VirtualClock();
      const store = maker()({ clock });
      const tap = new Tap();
      const viewer = new Viewer(store);
      void store.publishStream("g", tap);
      await turns();
      tap.give("first");
      await turns();
      clock.advance(0);
      await turns();
      assert.equal(viewer.view.text, "first");
      for (let i = 0; i < 2000; i++) {
        tap.give("x");
        if (i % 20 === 0) await turns(2);
        if (i % 200 === 0) clock.advance(4);
      }
      clock.advance(9);
      await turns();
      assert.equal(viewer.view.text, "first");
      clock.advance(1);
      await turns();
      assert.equal(viewer.view.text, `first${"x".repeat(2000)}`);
      assert.equal(viewer.messages.length, 3);
      await closeAll(clock, store);
    });

    it("publishes with coalesceMs 0 the parts of one turn as one message", async () => {
      const clock = new VirtualClock();
      const store = maker()({ clock });
      const tap = new Tap();
      const viewer = new Viewer(store);
      void store.publishStream("g", tap, { coalesceMs: 0 });
      await turns();
      for (const text of ["ab", "cd"]) {
        tap.give(...text);
        await turns();
        clock.advance(0);
        await turns();
      }
      assert.deepEqual(viewer.messages.slice(1), [
        { stream: viewer.view.stream, n: 1, text: "ab" },
        { stream: viewer.view.stream, n: 2, text: "cd" },
      ]);
      await closeAll(clock, store);
    });

    it("publishes JSON values as parts, decodes bytes across parts, and keeps the order of both", async () => {
      const store = maker()();
      const viewer = new Viewer(store);
      const [euro] = [new TextEncoder().encode("€")];
      const call = { tool: "search", at: [1] };
      async function* mixed(): AsyncGenerator<string | Uint8Array | object> {
        yield "a";
        yield euro!.subarray(0, 1);
        yield euro!.subarray(1);
        yield call;
        call.tool = "changed afterwards";
        yield { second: true };
        yield "end";
      }
      await store.publishStream("g", mixed());
      await until(() => viewer.view.state === "done", "the end has come");
      const { stream } = viewer.view;
      assert.deepEqual(viewer.messages.slice(1), [
        { stream, n: 1, text: "a€" },
        { stream, n: 2, parts: [{ tool: "search", at: [1] }, { second: true }] },
        { stream, n: 3, text: "end" },
        { stream, n: 4, end: "done" },
      ]);
      await store.close();
    });

    it("publishes a ReadableStream, the bytes of a Response, and what a function makes of a signal", async () => {
      const store = maker()();
      const viewer = new Viewer(store);
      await store.publishStream("g", new Response("of a response").body!);
      await until(() => viewer.view.text === "of a response", "the body has come");
      await store.publishStream("g", async (signal) => words(String(signal.aborted)));
      await until(() => viewer.view.text === "false", "the result of the function has come");
      await store.close();
    });

    it("tells viewers the code of a source that fails, after its text, and not the text of the error", async () => {
      const reports: unknown[] = [];
      const store = maker()({ onError: (error) => reports.push(error) });
      for (const [error, code] of [
        [new Error("the key sk-secret is wrong"), "STREAM_FAILED"],
        [new ChannelError("BAD_DATA", "sk-secret"), "BAD_DATA"],
      ] as const) {
        const viewer = new Viewer(store, null);
        const result = await store.publishStream("g", failing(error));
        assert.deepEqual(result, { stream: result.stream, end: "failed", error });
        await until(() => viewer.view.state === "failed", "the end has come");
        assert.deepEqual([viewer.view.text, viewer.view.code], ["begun", code]);
        assert.doesNotMatch(JSON.stringify(viewer.messages), /sk-secret/);
        assert.equal(reports.pop(), error);
      }
      await store.close();
    });

    it("fails for a part that JSON cannot express, and cancels the source", async () => {
      const store = maker()({ onError: () => {} });
      const tap = new Tap();
      tap.give("a", 1n);
      const { end, error } = await store.publishStream("g", tap);
      assert.deepEqual([end, (error as ChannelError).code, tap.log], ["failed", "BAD_DATA", ["return"]]);
      await store.close();
    });

    it("stops at its signal, also one that has aborted before, and aborts the signal of its source", async () => {
      const store = maker()();
      const stopping = new AbortController();
      const tap = new Tap();
      let inner: AbortSignal | undefined;
      const viewer = new Viewer(store);
      const over = store.publishStream(
        "g",
        (signal) => {
          inner = signal;
          return tap;
        },
        { signal: stopping.signal },
      );
      tap.give("a");
      await until(() => viewer.view.text === "a", "a part has come");
      stopping.abort();
      assert.equal((await over).end, "stopped");
      assert.deepEqual([inner?.aborted, tap.log], [true, ["return"]]);
      const second = await store.publishStream("g", new Tap(), { signal: AbortSignal.abort() });
      assert.equal(second.end, "stopped");
      const third = store.publishStream("h", tap);
      assert.equal(await store.stopStream("h"), true, "in the turn of its beginning");
      assert.equal((await third).end, "stopped");
      await store.close();
    });

    it("stops a source that never answers, a generator that is suspended and a function that waits for ever", async () => {
      const store = maker()();
      const cancelled = deferred<unknown>();
      const silent = new ReadableStream<string>({ cancel: (reason) => cancelled.resolve(reason) });
      for (const source of [silent, suspended(), () => new Promise<never>(() => {})]) {
        const over = store.publishStream("g", source);
        await turns();
        assert.equal(await store.stopStream("g"), true);
        assert.equal((await over).end, "stopped");
      }
      await cancelled.promise;
      assert.equal(await store.stopStream("g"), false, "nothing is under way");
      await store.close();
    });

    it("gives other work its turn while a source always has its next part at once, also an empty one", async () => {
      for (const part of ["x", ""]) {
        const store = maker()();
        async function* endless(): AsyncGenerator<string> {
          for (;;) yield part;
        }
        const over = store.publishStream("g", endless);
        await new Promise(setImmediate);
        await store.stopStream("g");
        assert.equal((await over).end, "stopped");
        await store.close();
      }
    });

    it("cuts a text that is longer than a message, and leaves other parts whole", async () => {
      const store = maker()();
      const viewer = new Viewer(store);
      const long = Array.from({ length: 100_000 }, (_, i) => String.fromCodePoint(0x1f600 + (i % 50))).join("");
      async function* parts(): AsyncGenerator<unknown> {
        yield "a";
        yield long;
        yield [long];
      }
      assert.equal((await store.publishStream("g", parts() as never)).end, "done");
      await until(() => viewer.view.state === "done", "the end has come");
      assert.equal(viewer.view.text, `a${long}`);
      assert.deepEqual(viewer.view.parts, [[long]]);
      const texts = viewer.messages.flatMap((message) => ("text" in message ? [message.text.length] : []));
      assert.equal(Math.max(...texts), 16 * 1024);
      await store.close();
    });

    it("tells onError also of a source that fails with undefined", async () => {
      let told = 0;
      const store = maker()({ onError: () => void (told += 1) });
      const source = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(undefined) }) };
      assert.equal((await store.publishStream("g", source as never)).end, "failed");
      assert.equal(told, 1);
      await store.close();
    });

    it("fails with BAD_OPTION for a function that makes no source, and cancels the body of a Response", async () => {
      const store = maker()({ onError: () => {} });
      let isCancelled = false;
      const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
      for (const made of [new Response(body), undefined, "text", 7]) {
        const { end, error } = await store.publishStream("g", () => made as never);
        assert.deepEqual([end, (error as ChannelError).code], ["failed", "BAD_OPTION"]);
      }
      assert.equal(isCancelled, true);
      assert.equal((await store.publishStream("g", () => ["a", "b"] as never)).end, "done", "a list has ended");
      await store.close();
    });

    it("refuses a second stream of a group while it has one, cancels its source, and takes one afterwards", async () => {
      const store = maker()({ onError: () => {} });
      const [first, second] = [new Tap(), new Tap()];
      const viewer = new Viewer(store);
      const over = store.publishStream("g", first);
      const { end, error } = await store.publishStream("g", second);
      assert.deepEqual([end, (error as ChannelError).code, second.log], ["failed", "STREAM_BUSY", ["return"]]);
      first.give("a");
      await until(() => viewer.view.text === "a", "the first one goes on");
      await store.stopStream("g");
      assert.equal((await store.publishStream("g", words("free"))).end, "done", "the group is free at once");
      assert.equal((await over).end, "stopped");
      await until(() => viewer.view.text === "free", "the next one has come");
      await store.close();
    });

    it("stops with replace the stream that the group has, also one that has not begun, and begins when it is over", async () => {
      const store = maker()();
      const viewer = new Viewer(store);
      const taps = Array.from({ length: 4 }, () => new Tap());
      const all = taps.map((tap, i) => store.publishStream("g", tap, { replace: i > 0, info: i }));
      taps[3]!.give("last");
      await until(() => viewer.view.text === "last", "the last one has begun");
      assert.deepEqual(
        (await Promise.all(all.slice(0, 3))).map(({ end }) => end),
        ["stopped", "stopped", "stopped"],
      );
      const places = viewer.messages.map((message) =>
        "begin" in message ? "begin" : "end" in message ? message.end : "",
      );
      assert.deepEqual(places, [...Array.from({ length: 3 }, () => ["begin", "stopped"]).flat(), "begin", ""]);
      assert.equal(await store.stopStream("g"), true);
      assert.equal((await all[3]!).end, "stopped");
      await store.close();
    });

    it("tells viewers that a stream is lost when its store is closed, and publishes none afterwards", async () => {
      const store = maker()({ onError: () => {} });
      const tap = new Tap();
      const viewer = new Viewer(store);
      const over = store.publishStream("g", tap);
      tap.give("a");
      await until(() => viewer.view.text === "a", "a part has come");
      await store.close();
      const { end, error } = await over;
      assert.deepEqual([end, (error as ChannelError).code, tap.log], ["lost", "STREAM_LOST", ["return"]]);
      assert.equal(viewer.view.state, "lost");
      const later = await store.publishStream("g", words("a"));
      assert.equal((later.error as ChannelError).code, "BACKPLANE_UNAVAILABLE");
    });

    it("drops the messages of a stream when they are as old as keep.ttlMs, and not those of one that is silent before", async () => {
      const clock = new VirtualClock();
      const store = maker()({ clock, history: { ttlMs: 1000 } });
      const tap = new Tap();
      const over = store.publishStream("g", tap, { keep: { ttlMs: 20_000 } });
      tap.give("a");
      await turns();
      clock.advance(0);
      await turns();
      for (let second = 0; second < 15; second++) {
        clock.advance(1000);
        await turns(3);
      }
      assert.equal((await store.history("g")).messages.length, 2);
      await store.stopStream("g");
      await over;
      if (kind === "without a backplane") {
        clock.advance(25_000);
        assert.equal((await store.history("g")).messages.length, 0);
      }
      await closeAll(clock, store);
    });

    it("refuses bad arguments, and cancels the source", async () => {
      const store = maker()();
      for (const options of [
        { coalesceMs: -1 },
        { replace: 1 },
        { coalesceMs: Number.POSITIVE_INFINITY },
        { signal: {} },
        { kep: {} },
      ]) {
        const tap = new Tap();
        await assert.rejects(store.publishStream("g", tap, options as object), { code: "BAD_OPTION" });
        assert.deepEqual(tap.log, ["return"]);
      }
      await assert.rejects(store.publishStream("g", words("a"), { keep: { size: -1 } }), { code: "BAD_OPTION" });
      await assert.rejects(store.publishStream("g", words("a"), { info: 1n }), { code: "BAD_DATA" });
      for (const source of ["text", ["a"], undefined, null, 1, {}]) {
        await assert.rejects(store.publishStream("g", source as never), { code: "BAD_OPTION" });
      }
      await assert.rejects(store.publishStream("g".repeat(1025), words("a")), { code: "BAD_OPTION" });
      await assert.rejects(store.stopStream(1 as never), { code: "BAD_OPTION" });
      await store.close();
    });
  });
}

describe("publishStream in several processes", () => {
  it("gives the viewers of all processes the same text, and stops from any of them", async () => {
    const broker = new MemoryBackplane();
    const stores = Array.from({ length: 3 }, () => createChannelStore({ backplane: broker.share() }));
    const viewers = stores.map((store) => new Viewer(store));
    const tap = new Tap();
    const over = stores[0]!.publishStream("g", tap);
    tap.give("a", "b");
    await until(() => viewers.every(({ view }) => view.text === "ab"), "all have the text");
    assert.equal(await stores[2]!.stopStream("g"), true);
    assert.equal((await over).end, "stopped");
    assert.deepEqual(tap.log, ["return"]);
    await until(() => viewers.every(({ view }) => view.state === "stopped"), "all have the end");
    for (const store of stores) await store.close();
  });

  it("refuses a second stream of a group from another process", async () => {
    const broker = new MemoryBackplane();
    const [a, b] = [0, 1].map(() => createChannelStore({ backplane: broker.share(), onError: () => {} }));
    const over = a!.publishStream("g", new Tap());
    await turns();
    assert.equal(((await b!.publishStream("g", words("b"))).error as ChannelError).code, "STREAM_BUSY");
    await b!.stopStream("g");
    assert.equal((await b!.publishStream("g", words("b"))).end, "done", "the group is free");
    assert.equal((await over).end, "stopped");
    for (const store of [a!, b!]) await store.close();
  });

  it("replaces a stream of another process, and fails when that does not stop within 5 seconds", async () => {
    const broker = new MemoryBackplane();
    const [a, b] = [0, 1].map(() => createChannelStore({ backplane: broker.share(), onError: () => {} }));
    const viewer = new Viewer(b!);
    const first = a!.publishStream("g", new Tap());
    await until(() => viewer.view.state === "open", "the first one has begun");
    assert.equal((await b!.publishStream("g", words("b"), { replace: true })).end, "done");
    assert.equal((await first).end, "stopped");
    // A process that is listed, and does not answer.
    await broker.enter(PUBLISHERS, { key: "other", payload: new Uint8Array() });
    const record = Buffer.from('{"stream":"x","by":"other"}');
    while (!(await broker.swapRecord("sg", await broker.readRecord("sg"), record)));
    const { error } = await b!.publishStream("g", words("b"), { replace: true });
    assert.equal((error as ChannelError).code, "STREAM_BUSY");
    for (const store of [a!, b!]) await store.close();
  });

  it("begins in place of one that is refused, whose record another process has", async () => {
    const broker = new MemoryBackplane();
    const [a, b] = [0, 1].map(() => createChannelStore({ backplane: broker.share(), onError: () => {} }));
    const first = a!.publishStream("g", new Tap());
    await turns();
    const refused = b!.publishStream("g", new Tap());
    const tap = new Tap();
    const last = b!.publishStream("g", tap, { replace: true });
    assert.equal(((await refused).error as ChannelError).code, "STREAM_BUSY");
    assert.equal((await first).end, "stopped");
    await until(() => tap.read > 0, "it has begun");
    await b!.stopStream("g");
    assert.equal((await last).end, "stopped");
    for (const store of [a!, b!]) await store.close();
  });

  it("can be stopped, also if two of them have replaced that of another process at once", async () => {
    const broker = new MemoryBackplane();
    const [a, b] = [0, 1].map(() => createChannelStore({ backplane: broker.share(), onError: () => {} }));
    for (const stopper of [a!, b!]) {
      const first = a!.publishStream("g", new Tap());
      await turns();
      const tap = new Tap();
      const second = b!.publishStream("g", new Tap(), { replace: true });
      const third = b!.publishStream("g", tap, { replace: true });
      assert.deepEqual([(await first).end, (await second).end], ["stopped", "stopped"]);
      await until(() => tap.read > 0, "the last one has begun");
      assert.equal(await stopper.stopStream("g"), true);
      const late = setTimeout(() => void b!.close(), 2000);
      assert.equal((await third).end, "stopped");
      clearTimeout(late);
    }
    for (const store of [a!, b!]) await store.close();
  });

  it("tells the viewers of a process that has died that its stream is lost, once, and lets another one begin", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane(clock);
    const dying = broker.share();
    const options = { clock, onError: () => {} };
    const producer = createChannelStore({ ...options, backplane: dying });
    const stores = Array.from({ length: 3 }, () => createChannelStore({ ...options, backplane: broker.share() }));
    const viewers = stores.map((store) => new Viewer(store));
    const tap = new Tap();
    void producer.publishStream("g", tap);
    tap.give("a");
    await turns();
    clock.advance(0);
    await turns();
    const late = new Viewer(stores[1]!);
    await dying.close();
    for (let second = 0; second < 16; second++) {
      clock.advance(1000);
      await turns();
    }
    for (const { messages, view } of [...viewers, late]) {
      assert.deepEqual([view.text, view.state], ["a", "lost"]);
      assert.equal(messages.filter((message) => "end" in message).length, 1);
    }
    assert.equal((await stores[0]!.publishStream("g", words("next"))).end, "done");
    await closeAll(clock, ...stores);
  });

  it("takes the place of a stream whose process has died at once, and tells its viewers first", async () => {
    const broker = new MemoryBackplane();
    const dying = broker.share();
    const producer = createChannelStore({ backplane: dying, onError: () => {} });
    const store = createChannelStore({ backplane: broker.share() });
    const viewer = new Viewer(store);
    const tap = new Tap();
    void producer.publishStream("g", tap);
    tap.give("a");
    await until(() => viewer.view.text === "a", "a part has come");
    await dying.close();
    assert.equal((await store.publishStream("g", words("b"))).end, "done");
    await until(() => viewer.view.state === "done", "the next one has ended");
    assert.deepEqual(
      viewer.messages.map((message) => Object.keys(message).at(-1)),
      ["begin", "text", "end", "begin", "text", "end"],
    );
    await store.close();
  });

  it("ends a stream whose process was taken for dead, and cancels its source", async () => {
    const clock = new VirtualClock();
    const broker = new MemoryBackplane(clock);
    const options = { clock, onError: () => {} };
    const [a, b] = [0, 1].map(() => createChannelStore({ ...options, backplane: broker.share() }));
    const viewer = new Viewer(b!);
    const tap = new Tap();
    let result: StreamResult | undefined;
    void a!.publishStream("g", tap).then((ended) => {
      result = ended;
    });
    await turns();
    for (const { key } of await broker.present(PUBLISHERS)) await broker.leave(PUBLISHERS, key);
    for (let second = 0; second < 20; second++) {
      clock.advance(1000);
      await turns();
    }
    assert.equal(viewer.view.state, "lost");
    assert.equal(result?.end, "lost");
    assert.equal((result.error as ChannelError).code, "STREAM_LOST");
    assert.deepEqual(tap.log, ["return"]);
    await closeAll(clock, a!, b!);
  });

  it("publishes a message again under its number while the broker does not confirm it", async () => {
    const clock = new VirtualClock();
    const inner = new MemoryBackplane(clock);
    let failures = 3;
    const backplane = new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== "publish") return typeof value === "function" ? value.bind(target) : value;
        // The broker has the message, and its answer is lost.
        return async (...parameters: Parameters<Backplane["publish"]>) => {
          const id = await target.publish(...parameters);
          if ((failures -= 1) >= 0) throw new Error("the answer is lost");
          return id;
        };
      },
    });
    const store = createChannelStore({ clock, backplane, onError: () => {} });
    const viewer = new Viewer(store);
    const over = store.publishStream("g", words("a", "b"));
    for (let i = 0; i < 40; i++) {
      await turns(5);
      clock.advance(100);
    }
    assert.equal((await over).end, "done");
    assert.deepEqual([viewer.view.text, viewer.view.state], ["ab", "done"]);
    assert.equal(viewer.messages.filter(({ n }) => n === 0).length, 4);
    await closeAll(clock, store);
  });

  it("fails when the broker confirms nothing for 30 seconds, and cancels the source", async () => {
    const clock = new VirtualClock();
    const backplane = new MemoryBackplane(clock);
    const store = createChannelStore({ clock, backplane, onError: () => {} });
    const tap = new Tap();
    const over = store.publishStream("g", tap);
    await turns();
    await backplane.close();
    tap.give("a");
    for (let i = 0; i < 140; i++) {
      await turns(5);
      clock.advance(500);
    }
    const { end, error } = await over;
    assert.deepEqual([end, (error as ChannelError).code, tap.log], ["failed", "BACKPLANE_UNAVAILABLE", ["return"]]);
    await closeAll(clock, store);
  });

  it("does not read on while the broker is slow and 64 KiB wait", async () => {
    const inner = new MemoryBackplane();
    const answer = deferred();
    let isSlow = false;
    const backplane = new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== "publish") return typeof value === "function" ? value.bind(target) : value;
        return async (...parameters: Parameters<Backplane["publish"]>) => {
          if (isSlow) await answer.promise;
          return target.publish(...parameters);
        };
      },
    });
    const store = createChannelStore({ backplane });
    const viewer = new Viewer(store);
    const tap = new Tap();
    const over = store.publishStream("g", tap);
    await turns();
    isSlow = true;
    tap.give(...Array.from({ length: 500 }, () => "x".repeat(1024)));
    await turns(50);
    assert.ok(tap.read >= 64 && tap.read < 64 + 20, `${tap.read} parts were read`);
    answer.resolve();
    await until(() => viewer.view.text.length === 500 * 1024, "all have come");
    await store.stopStream("g");
    await over;
    await store.close();
  });

  it("needs a backplane with records", async () => {
    const inner = new MemoryBackplane();
    const backplane = new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name === "swapRecord") return undefined;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const store = createChannelStore({ backplane, onError: () => {} });
    const { error } = await store.publishStream("g", words("a"));
    assert.equal((error as ChannelError).code, "BAD_OPTION");
    await assert.rejects(store.stopStream("g"), { code: "BAD_OPTION" });
    await store.close();
  });
});

describe("the types of publishStream", () => {
  it("let a store without a codec publish text, bytes and JSON, and one with a codec the parts of its messages", async () => {
    type Values = StreamMessage<{ tool: string }> | { hello: true };
    const toClient = z.custom<Values>((value) => typeof value === "object");
    const { server: codec } = jsonMessages({ toServer: z.unknown(), toClient });
    const typed = createChannelStore({ codec });
    holds<Same<PartOf<Values>, string | Uint8Array | { tool: string }>>();
    holds<Same<PartOf<{ hello: true }>, never>>();
    holds<Same<PartOf<Publishable>, Publishable>>();
    const viewer = new Viewer(typed as unknown as ChannelStore);
    async function* parts(): AsyncGenerator<{ tool: string } | string> {
      yield "text";
      yield { tool: "search" };
    }
    await typed.publishStream("g", parts());
    // @ts-expect-error: a number is no part of its messages
    await typed.publishStream("h", numbers());
    assert.deepEqual([viewer.view.text, viewer.view.parts], ["text", [{ tool: "search" }]]);
    const { server: other } = jsonMessages({
      toServer: z.unknown(),
      toClient: z.object({ hello: z.literal(true) }),
    });
    const without = createChannelStore({ codec: other });
    // @ts-expect-error: its messages have no streams
    await without.publishStream("g", words("a"));
  });
});

async function* numbers(): AsyncGenerator<number> {
  yield 1;
}

async function* failing(error: unknown): AsyncGenerator<string> {
  yield "begun";
  throw error;
}

async function* suspended(): AsyncGenerator<string> {
  yield "a";
  await new Promise(() => {});
}

/** Closes stores whose clock stands still. */
async function closeAll(clock: VirtualClock, ...stores: readonly ChannelStore[]): Promise<void> {
  const closed = Promise.all(stores.map((store) => store.close()));
  for (let i = 0; i < 5; i++) {
    await turns(3);
    clock.advance(10_000);
  }
  await closed;
}
