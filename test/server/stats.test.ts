// The counters of a server: docs/reference/server.md, "Stats".

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, json, withChannel } from "../../src/index.ts";
import { FRESH } from "../support/fresh-stats.ts";
import { certificate, noCertificate, request, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

describe("server.stats()", () => {
  it("begins at zero", async (t) => {
    const site = await serving(t, () => "ok");
    assert.deepEqual(site.server.stats(), FRESH);
  });

  it("counts bytes as the client does, while connections are open and when they are closed", async (t) => {
    const site = await serving(t, () => "hello");
    const client = await site.connect();
    const text = request("GET /");
    client.write(text);
    await client.response();
    const open = site.server.stats();
    assert.equal(open.bytesReceived, text.length);
    assert.equal(open.bytesSent, client.socket.bytesRead);
    client.destroy();
    await until(() => site.server.stats().connections === 0, "it is closed");
    const closed = site.server.stats();
    assert.deepEqual([closed.bytesReceived, closed.bytesSent], [open.bytesReceived, open.bytesSent]);
  });

  it("counts bytes above TLS", { skip: noCertificate }, async (t) => {
    const site = await serving(t, () => "hello", { tls: certificate() });
    const client = await site.connect();
    const text = request("GET /");
    client.write(text);
    await client.response();
    const { bytesReceived, bytesSent } = site.server.stats();
    assert.deepEqual([bytesReceived, bytesSent], [text.length, client.socket.bytesRead]);
    client.destroy();
    await until(() => site.server.stats().connections === 0, "it is closed");
    assert.equal(site.server.stats().bytesReceived, text.length);
  });

  it("counts messages both ways, on every transport", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.onMessage((message) => channel.send(message));
        if (!channel.isWebSocket) channel.send("one", true);
      }),
    );
    const client = await WsClient.open(t, site.target);
    for (const message of ["a", "b", "c"]) client.send(message);
    for (const message of ["a", "b", "c"]) assert.equal(await client.message(), message);
    await site.request("GET /");
    await site.request("GET / HTTP/1.1\r\nAccept: text/event-stream");
    const { messagesReceived, messagesSent, channels, requests } = site.server.stats();
    assert.deepEqual([messagesReceived, messagesSent, requests], [3, 5, 3]);
    assert.deepEqual(channels, { websocket: 1, sse: 0, stream: 0, poll: 0 });
    client.raw.destroy();
  });

  it("does not count a send that the channel refused", async (t) => {
    const channels: Channel[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (c) => void channels.push(c), { onOverflow: "drop", maxBufferedBytes: 1 }),
    );
    const client = await WsClient.open(t, site.target);
    const [channel] = channels;
    assert.equal(channel!.send("fills it"), true);
    assert.equal(channel!.send("finds it full"), false);
    assert.throws(() => channel!.send(Symbol("x") as never), { code: "BAD_DATA" });
    const stats = site.server.stats();
    assert.deepEqual([stats.messagesSent, stats.overflows, stats.bufferedBytes], [1, { close: 0, drop: 1 }, 10]);
    client.raw.destroy();
    await until(() => site.server.stats().channels.websocket === 0, "it is closed");
    assert.equal(channel!.send("after the end"), false);
    assert.equal(site.server.stats().messagesSent, 1);
  });

  it("tells how channels ended", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (channel) => void channel.send(json(1), false)));
    for (const code of [1000, 4000, 4001]) {
      const client = await WsClient.open(t, site.target);
      client.close(code);
      await until(() => site.server.stats().channels.websocket === 0, "it is closed");
      client.raw.destroy();
    }
    const stream = await site.connect();
    stream.write(request("GET /"));
    await stream.head();
    stream.destroy();
    await until(() => site.server.stats().connections === 0, "all are gone");
    assert.deepEqual(site.server.stats().channelsClosed, {
      websocket: { normal: 1, application: 2 },
      sse: {},
      stream: { "client-close": 1 },
      poll: {},
    });
  });

  it("tells errors by source and code", async (t) => {
    const site = await serving(t, (r) => {
      if (r.path === "/boom") throw new Error("boom");
      return Symbol("no body") as never;
    });
    for (const path of ["/boom", "/boom", "/bad"]) await site.request(`GET ${path}`);
    assert.equal(site.takeReports().length, 3);
    assert.deepEqual(site.server.stats().errors, { handler: { OTHER: 2, BAD_DATA: 1 } });
  });

  it("returns a copy, which does not change later", async (t) => {
    const site = await serving(t, () => {
      throw new Error("boom");
    });
    await site.request("GET /");
    const then = site.server.stats();
    await site.request("GET /");
    site.takeReports();
    assert.deepEqual([then.responses["5xx"], then.errors], [1, { handler: { OTHER: 1 } }]);
  });
});
