// Messages that are made once and sent many times: each form of their bytes is made for the first who needs it.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Channel, type ChannelOptions, event, json, prepare, withChannel } from "../../src/index.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

const DEFLATE = ["Sec-WebSocket-Extensions: permessage-deflate"];

async function opening(t: TestContext, options: ChannelOptions = {}): Promise<{ site: Site; channels: Channel[] }> {
  const channels: Channel[] = [];
  const site = await serving(t, (r) => withChannel(r, (channel) => channels.push(channel), options));
  return { site, channels };
}

describe("a prepared message", () => {
  it("goes to each kind of channel in its own form, again and again", async (t) => {
    const { site, channels } = await opening(t);
    const ws = await WsClient.open(t, site.target);
    const events = await site.connect();
    events.write(request("GET /\r\nAccept: text/event-stream"));
    await until(() => channels.length === 2, "both are open");
    const message = prepare(event({ data: "two\nlines", event: "tick", id: "7" }));
    for (let i = 0; i < 2; i++) for (const channel of channels) assert.equal(channel.send(message), true);
    for (let i = 0; i < 2; i++) assert.equal(await ws.message(), "two\nlines");
    await events.head();
    for (let i = 0; i < 2; i++) {
      assert.equal((await events.chunk())?.toString(), "event: tick\nid: 7\ndata: two\ndata: lines\n\n");
    }
  });

  it("keeps its place among a channel's other messages", async (t) => {
    const { site, channels } = await opening(t);
    const ws = await WsClient.open(t, site.target);
    const other = await WsClient.open(t, site.target);
    await until(() => channels.length === 2, "both are open");
    const [a, b] = [prepare("a"), prepare("b")];
    for (const channel of channels) channel.send(a);
    channels[0]!.send("own");
    for (const channel of channels) channel.send(b);
    channels[1]!.send("own");
    for (const channel of channels) channel.send(a);
    for (const text of ["a", "own", "b", "a"]) assert.equal(await ws.message(), text);
    for (const text of ["a", "b", "own", "a"]) assert.equal(await other.message(), text);
  });

  it("is an answer with status and headers where it is the first of an HTTP channel", async (t) => {
    const message = prepare(json({ n: 1 }, { status: 201, headers: { "X-A": "1" } }));
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send(message)));
    for (let i = 0; i < 2; i++) {
      const response = await site.request("GET /");
      assert.deepEqual([response.status, response.text], [201, '{"n":1}']);
      assert.deepEqual(response.headers.get("x-a"), ["1"]);
    }
  });

  it("is compressed once for all who agreed on the same window, and not for others", async (t) => {
    const { site, channels } = await opening(t, { compress: true });
    const text = "compress me, ".repeat(1000);
    const plain = await WsClient.open(t, site.target);
    const deflated = [
      await WsClient.open(t, site.target, { fields: DEFLATE }),
      await WsClient.open(t, site.target, { fields: DEFLATE }),
    ];
    await until(() => channels.length === 3, "all are open");
    const message = prepare(text);
    for (const channel of channels) channel.send(message);
    assert.equal(await plain.message(), text);
    const frames = [await deflated[0]!.raw.take(4), await deflated[1]!.raw.take(4)];
    assert.deepEqual(frames[0], frames[1]);
    assert.equal(frames[0]![0], 0xc1, "RSV1 is set: compressed (RFC 7692 §6)");
  });

  it("is compressed with the history of each channel where context is taken over", async (t) => {
    const { site, channels } = await opening(t, { compress: { contextTakeover: true } });
    const client = await WsClient.open(t, site.target, { fields: DEFLATE });
    await until(() => channels.length === 1, "it is open");
    const message = prepare("compress me with what was before, compress me with what was before");
    channels[0]!.send(message);
    channels[0]!.send(message);
    const lengths: number[] = [];
    for (let i = 0; i < 2; i++) {
      const head = await client.raw.take(2);
      assert.equal(head[0], 0xc1, "RSV1 is set: compressed (RFC 7692 §6)");
      lengths.push(head[1]!);
      await client.raw.take(head[1]!);
    }
    assert.ok(lengths[1]! < lengths[0]! / 2, "the second time it is a reference to the first");
  });

  it("throws for what cannot be sent, and for what can be sent only once", () => {
    for (const data of [new Blob(["x"]), ["a", "b"], new ReadableStream(), { text: "x" }, 7, undefined]) {
      assert.throws(() => prepare(data as never), { code: "BAD_DATA" });
    }
    assert.throws(() => prepare({ status: 99, body: "x" }), { code: "BAD_STATUS" });
    assert.throws(() => prepare({ headers: { "X-A": "a\nb" }, body: "x" }), { code: "BAD_HEADER" });
    for (const fields of [null, undefined, "data"]) assert.throws(() => event(fields as never), { code: "BAD_DATA" });
    const message = prepare("once");
    assert.equal(prepare(message), message);
  });
});
