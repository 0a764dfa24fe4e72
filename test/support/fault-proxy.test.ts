// The tool that the tests of sessions trust: each fault does what it says, and nothing else.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { type Channel, type Handler, withChannel } from "../../src/index.ts";
import { FaultProxy, type Faults } from "./fault-proxy.ts";
import { RawClient } from "./raw-client.ts";
import { request, serving } from "./serving.ts";
import { settled, until } from "./wait.ts";

const HELLO: Handler = () => "hello";
const ECHO: Handler = (asked) => withChannel(asked, (channel) => channel.onMessage((message) => channel.send(message)));

async function before(t: TestContext, handler: Handler, faults: Faults, seed = 1): Promise<FaultProxy> {
  const { server } = await serving(t, handler);
  return FaultProxy.start(t, server.port, { seed, faults });
}

async function socket(t: TestContext, { port }: FaultProxy): Promise<{ ws: WebSocket; said: string[] }> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/`);
  const said: string[] = [];
  ws.on("message", (data) => said.push(String(data)));
  ws.on("error", () => {});
  t.after(() => ws.terminate());
  await once(ws, "open");
  return { ws, said };
}

describe("A fault proxy", () => {
  it("a proxy without faults passes on requests, frames and both ends", async (t) => {
    const proxy = await before(t, ECHO, {});
    const { ws, said } = await socket(t, proxy);
    ws.send("x".repeat(100_000));
    await until(() => said.length === 1, "the echo");
    assert.equal(said[0], "x".repeat(100_000));
    ws.close(4000);
    const [code] = await once(ws, "close");
    assert.equal(code, 4000);
    await until(() => proxy.open === 0, "it is closed");
    assert.equal(proxy.accepted, 1);
  });

  it("passes a kept connection's second request on", async (t) => {
    const proxy = await before(t, HELLO, { delayMs: [0, 2] });
    const client = await RawClient.connect(t, { port: proxy.port });
    for (const _ of [1, 2]) {
      client.write(request("GET /"));
      assert.equal((await client.response("GET")).text, "hello");
    }
  });

  it("cuts after so many bytes, at another place for another seed", async (t) => {
    const lengths = new Set<number>();
    for (const seed of [1, 2, 3, 4]) {
      const proxy = await before(t, () => "x".repeat(1000), { cutAfterBytes: [200, 900] }, seed);
      const client = await RawClient.connect(t, { port: proxy.port });
      let length = 0;
      client.socket.on("data", (bytes) => {
        length += bytes.length;
      });
      client.write(request("GET /"));
      await until(() => client.isClosed || client.isEnded, "the cut");
      assert.ok(length < 900, `${length}`);
      lengths.add(length);
    }
    assert.ok(lengths.size > 1);
  });

  it("stalls after so many bytes, and the connection stays", async (t) => {
    const proxy = await before(t, ECHO, { stallAfterBytes: [1000, 1000] });
    const { ws, said } = await socket(t, proxy);
    for (let id = 0; id < 200; id++) ws.send(`message ${id}`);
    await settled(() => said.length);
    assert.ok(said.length < 100);
    assert.equal(ws.readyState, WebSocket.OPEN);
    assert.equal(proxy.open, 1);
  });

  it("holds a response back until it ends", async (t) => {
    let channel: Channel | undefined;
    const handler: Handler = (asked) => {
      channel = withChannel(asked, (opened) => opened.send("one ", false));
      return channel;
    };
    const proxy = await before(t, handler, { bufferDownstream: true });
    let text: string | undefined;
    void fetch(proxy.url).then(async (response) => {
      text = await response.text();
    });
    await until(() => channel !== undefined, "the request");
    channel?.send("two", false);
    await settled(() => text);
    assert.equal(text, undefined);
    channel?.close();
    await until(() => text === "one two", "the whole response");
  });

  it("lets an upgrade through and swallows its frames", async (t) => {
    const got: unknown[] = [];
    const handler: Handler = (asked) =>
      asked.isWebSocket
        ? withChannel(asked, (channel) => {
            channel.send("hello");
            channel.onMessage((message) => got.push(message));
          })
        : "plain";
    const proxy = await before(t, handler, { swallowFrames: true });
    const { ws, said } = await socket(t, proxy);
    ws.send("is anybody there?");
    await settled(() => said.length + got.length);
    assert.deepEqual([said, got], [[], []]);
    assert.equal(ws.readyState, WebSocket.OPEN);
    assert.equal(await (await fetch(proxy.url)).text(), "plain");
  });

  it("strips the upgrade of a request", async (t) => {
    const proxy = await before(t, (asked) => (asked.isWebSocket ? "asked" : "not asked"), { stripUpgrade: true });
    const ws = new WebSocket(`ws://127.0.0.1:${proxy.port}/`);
    const [error] = await once(ws, "error");
    assert.match(String(error), /200/);
    assert.equal(await (await fetch(proxy.url)).text(), "not asked");
  });

  it("answers 502, is silent, or drops the connection, until it is told otherwise", async (t) => {
    const proxy = await before(t, HELLO, { badGateway: true });
    assert.equal((await fetch(proxy.url)).status, 502);
    proxy.faults = { refuse: true };
    await assert.rejects(fetch(proxy.url));
    proxy.faults = { halfOpen: true };
    const silent = fetch(proxy.url).catch(() => "cut");
    await until(() => proxy.open > 0, "it is accepted");
    proxy.cut();
    assert.equal(await silent, "cut");
    proxy.faults = {};
    assert.equal(await (await fetch(proxy.url)).text(), "hello");
  });

  it("draws the faults of each connection from its seed", async (t) => {
    const drawn = async (seed: number): Promise<string> => {
      const proxy = await before(t, HELLO, {}, seed);
      proxy.faults = (random) => random.pick([{}, { badGateway: true }]);
      let statuses = "";
      for (let id = 0; id < 12; id++) {
        const client = await RawClient.connect(t, { port: proxy.port });
        client.write(request("GET /"));
        statuses += (await client.response("GET")).status;
      }
      return statuses;
    };
    assert.match(await drawn(7), /200.*502|502.*200/);
  });
});
