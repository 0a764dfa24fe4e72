// Streams of numbered tokens to viewers on every carrier, whose connections are cut at random, who come late and load their page
// again: each has the text of the source in the end. And over brokers whose connections break, and from a process that is killed.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { type Connection, connect, StreamView } from "../../src/client/index.ts";
import { EventDecoder } from "../../src/codec/sse.ts";
import {
  type ChannelRequest,
  type ChannelStore,
  createChannelStore,
  type HandlerResult,
  openSession,
  pollGroup,
  withChannel,
} from "../../src/index.ts";
import { BROKER_KITS, type BrokerName } from "../support/broker-kits.ts";
import { FaultProxy } from "../support/fault-proxy.ts";
import { MemoryChannel } from "../support/memory-channel.ts";
import { seeded } from "../support/random.ts";
import { serving } from "../support/serving.ts";
import { spawnChild } from "../support/spawn-child.ts";
import type { StreamOrder } from "../support/stream-child.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/wait.ts";

const GROUP = "answer";
const TOKENS = 1500;
const SEEDS = [1, 2];

interface Viewer {
  readonly name: string;
  view: StreamView;
  /** Messages that a view has ignored, because it had them. */
  repeated: number;
  /** Loads the page again: without what it has shown. */
  reload(): void;
}

/** A viewer that shows what it hears, until the end. `hear` goes on until its signal aborts. */
function viewer(
  t: TestContext,
  name: string,
  hear: (take: (message: unknown) => void, signal: AbortSignal) => unknown,
): Viewer {
  let leaving = new AbortController();
  const begin = (): void => {
    const { signal } = leaving;
    const view = new StreamView();
    self.view = view;
    hear((message) => {
      if (!signal.aborted && !view.receive(message)) self.repeated += 1;
    }, signal);
  };
  const self: Viewer = {
    name,
    view: new StreamView(),
    repeated: 0,
    reload() {
      leaving.abort();
      leaving = new AbortController();
      begin();
    },
  };
  begin();
  t.after(() => leaving.abort());
  return self;
}

function handler(store: ChannelStore): (request: ChannelRequest) => HandlerResult {
  return (request) => {
    if (request.path === "/session") {
      return openSession(request, { open: (channel) => store.addToGroup(GROUP, channel, undefined, { since: "" }) });
    }
    if (request.path === "/poll") return pollGroup(request, store, GROUP, { parkMs: 2000 });
    const since = request.lastEventId ?? request.query.get("since") ?? "";
    return withChannel(request, (channel) =>
      store.addToGroup(GROUP, channel, undefined, { since, ids: request.path === "/ids" }),
    );
  };
}

/** An EventSource: it comes back with the id of the last event. */
async function hearEvents(url: string, take: (message: unknown) => void, signal: AbortSignal): Promise<void> {
  for (let id = ""; !signal.aborted; await delay(5)) {
    try {
      const headers = { Accept: "text/event-stream", ...(id === "" ? {} : { "Last-Event-ID": id }) };
      const response = await fetch(url, { headers, signal });
      const decoder = new EventDecoder();
      for await (const bytes of response.body!) {
        decoder.push(bytes);
        for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
          id = event.lastEventId;
          take(event.data);
        }
      }
    } catch {
      // It was cut.
    }
  }
}

/** A WebSocket with ids: it comes back with the last one. */
function hearSocket(url: string, take: (message: unknown) => void, signal: AbortSignal): void {
  let since = "";
  const open = (): void => {
    if (signal.aborted) return;
    const socket = new WebSocket(`${url.replace("http", "ws")}?since=${encodeURIComponent(since)}`);
    const end = (): void => socket.terminate();
    signal.addEventListener("abort", end);
    socket.on("error", () => {});
    socket.on("close", () => {
      signal.removeEventListener("abort", end);
      setTimeout(open, 5);
    });
    socket.on("message", (data) => {
      const message = JSON.parse(String(data)) as { readonly id: string };
      since = message.id;
      take(message);
    });
  };
  open();
}

/** The loop of the guide to groups. */
async function hearPolls(url: string, take: (message: unknown) => void, signal: AbortSignal): Promise<void> {
  for (let since = ""; !signal.aborted; ) {
    try {
      const response = await fetch(`${url}?since=${encodeURIComponent(since)}`, { signal });
      if (response.status === 204) continue;
      const { messages, next } = (await response.json()) as { messages: { data: unknown }[]; next: string };
      for (const { data } of messages) take(data);
      since = next;
    } catch {
      await delay(5);
    }
  }
}

function hearSession(
  url: string,
  carrier: "websocket" | "sse" | "poll",
  take: (message: unknown) => void,
  signal: AbortSignal,
): Connection {
  const connection = connect(url, {
    carriers: [carrier],
    signal,
    backoff: { firstMs: 5, capMs: 50 },
    WebSocket: WebSocket as never,
  });
  connection.onMessage(take);
  connection.onClose(() => {});
  connection.opened.catch(() => {});
  return connection;
}

/** All kinds of viewers of one server. */
function viewers(t: TestContext, url: string): Viewer[] {
  return [
    viewer(t, "event stream", (take, signal) => hearEvents(`${url}/events`, take, signal)),
    viewer(t, "WebSocket with ids", (take, signal) => hearSocket(`${url}/ids`, take, signal)),
    viewer(t, "long poll", (take, signal) => hearPolls(`${url}/poll`, take, signal)),
    ...(["websocket", "sse", "poll"] as const).map((carrier) =>
      viewer(t, `session over ${carrier}`, (take, signal) => hearSession(`${url}/session`, carrier, take, signal)),
    ),
  ];
}

describe("a published stream whose viewers' connections break", () => {
  for (const seed of SEEDS) {
    it(`is the same text for all of them, however often they are cut, come late or load their page again (seed ${seed})`, async (t) => {
      const store = createChannelStore();
      t.after(() => store.close());
      const site = await serving(t, handler(store));
      const { randomInt } = seeded(seed);
      const faults = { cutAfterBytes: [800, 12_000] } as const;
      const proxy = await FaultProxy.start(t, site.server.port!, { seed, faults });
      const all = viewers(t, proxy.url);
      let text = "";
      async function* numbered(): AsyncGenerator<string> {
        for (let i = 0; i < TOKENS; i++) {
          if (i % 3 === 0) await delay(1);
          if (i % 300 === 100) all.push(...viewers(t, proxy.url));
          if (i % 40 === 7) proxy.cut();
          if (i % 100 === 50) all[randomInt(all.length)]!.reload();
          text += `${i} `;
          yield `${i} `;
        }
      }
      const { end } = await store.publishStream(GROUP, numbered(), { coalesceMs: 5, info: seed });
      assert.equal(end, "done");
      proxy.faults = {};
      all.push(...viewers(t, proxy.url));
      for (const each of all) {
        await until(
          () => each.view.state === "done",
          `${each.name} has the end, after ${each.view.text.length} characters`,
        );
        assert.equal(each.view.text, text, each.name);
        assert.deepEqual([each.view.isWhole, each.view.info], [true, seed], each.name);
        assert.equal(each.repeated, 0, `${each.name} got no message twice`);
      }
      assert.ok(proxy.accepted > 2 * all.length, "connections were cut");
    });
  }
});

for (const name of ["redis", "nats", "processes"] as readonly BrokerName[]) {
  describe(`a stream over ${name}`, { skip: BROKER_KITS[name].skip }, () => {
    it("reaches viewers in another process whose connection to the broker is cut, whole and once", async (t) => {
      const { port, open } = await broker(t, name);
      const proxy = await startTcpProxy(t, port);
      const [producer, other] = [await open(port), await open(proxy.port)];
      const watching = watch(other);
      let text = "";
      async function* numbered(): AsyncGenerator<string> {
        for (let i = 0; i < 600; i++) {
          await delay(2);
          if (i === 150 || i === 300) {
            proxy.cut();
            setTimeout(() => proxy.restore(), 100);
          }
          text += `${i} `;
          yield `${i} `;
        }
      }
      const over = producer.publishStream("g", numbered(), { coalesceMs: 5 });
      await until(() => watching.view.text !== "", "the first tokens have come");
      const late = watch(other);
      assert.equal((await over).end, "done");
      for (const { view } of [watching, late, watch(other)]) {
        await until(() => view.state === "done", `the end has come, after ${view.text.length} characters`);
        assert.deepEqual([view.text, view.isWhole], [text, true]);
      }
    });

    it("is stopped by a viewer of another process, and lost once for all when its process is killed", async (t) => {
      const { port, open } = await broker(t, name);
      const stores = [await open(port), await open(port)];
      const all = stores.map(watch);
      const order: StreamOrder = { broker: name, port, aliveMs: 3000, tokens: 1_000_000 };
      const child = await spawnChild("stream-child.ts", order);
      t.after(() => child.kill());
      await until(() => all.every(({ view }) => view.text !== ""), "the first tokens have come");
      assert.equal(await stores[0]!.stopStream("g"), true);
      await until(() => all.every(({ view }) => view.state === "stopped"), "all have the end");
      const second = await spawnChild("stream-child.ts", order);
      await until(() => all.every(({ view }) => view.state === "open"), "the next stream has come");
      await second.kill();
      const isLost = (): boolean => all.every(({ view }) => view.state === "lost");
      // Another process counts as dead after `aliveMs` and two looks, 5 s apart.
      await until(isLost, "all know that it is lost").catch(() => until(isLost, "all know that it is lost"));
      for (const { view, ends } of all) {
        const expected = Array.from({ length: view.text.split(" ").length - 1 }, (_, i) => `${i} `).join("");
        assert.equal(view.text, expected);
        assert.deepEqual(ends, ["stopped", "lost"]);
      }
      const { end } = await stores[1]!.publishStream("g", new Response("next").body!);
      assert.equal(end, "done");
    });
  });
}

/** A member in this process, and the ends that it was told. */
function watch(store: ChannelStore): { readonly view: StreamView; readonly ends: unknown[] } {
  const member = new MemoryChannel();
  const view = new StreamView();
  const ends: unknown[] = [];
  member.onSent = ({ body }) => {
    view.receive(String(body));
    const { end } = JSON.parse(String(body)) as { readonly end?: string };
    if (end !== undefined) ends.push(end);
  };
  store.addToGroup("g", member.channel, undefined, { since: "" });
  return { view, ends };
}

async function broker(
  t: TestContext,
  name: BrokerName,
): Promise<{ readonly port: number; open(port: number): Promise<ChannelStore> }> {
  const started = await BROKER_KITS[name].start();
  const closing: (() => Promise<unknown>)[] = [() => started.stop()];
  t.after(async () => {
    for (const close of closing) await close();
  });
  return {
    port: started.port,
    async open(port) {
      const opened = await BROKER_KITS[name].open(port, { aliveMs: 3000 });
      const store = createChannelStore({ backplane: opened.backplane, onError: () => {} });
      closing.unshift(async () => {
        await store.close();
        await opened.close();
      });
      return store;
    },
  };
}
