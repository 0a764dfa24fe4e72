// Exchanges on one connection, one after the other: RFC 9112 §9, and http-kit #63, #338, #375.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, settled, until } from "../support/wait.ts";

describe("a connection", () => {
  it("is kept for the next request in HTTP/1.1", async (t) => {
    const site = await serving(t, (r) => r.path);
    const client = await site.connect();
    for (const path of ["/a", "/b", "/c"]) {
      client.write(request(`GET ${path}`));
      const response = await client.response();
      assert.deepEqual([response.text, response.headers.has("connection")], [path, false]);
    }
    const { connections, requests, channels } = site.server.stats();
    assert.deepEqual([connections, requests, channels], [1, 3, { websocket: 0, sse: 0, stream: 0, poll: 0 }]);
  });

  for (const field of ["close", "CLOSE", "keep-alive, close"]) {
    it(`ends after the response to "Connection: ${field}", and pipelined requests behind it are not run`, async (t) => {
      const paths: string[] = [];
      const site = await serving(t, (r) => {
        paths.push(r.path);
        return "ok";
      });
      const client = await site.connect();
      client.write(request(`GET /a HTTP/1.1\r\nConnection: ${field}`) + request("GET /b"));
      const response = await client.response();
      assert.deepEqual([response.text, response.headers.get("connection")], ["ok", ["close"]]);
      await client.ended();
      assert.deepEqual(paths, ["/a"]);
    });
  }

  it("ends after a response that says Connection: close", async (t) => {
    let calls = 0;
    const site = await serving(t, () => {
      calls += 1;
      return { headers: { Connection: "close" }, body: "bye" };
    });
    const client = await site.connect();
    client.write(request("GET /a") + request("GET /b"));
    const response = await client.response();
    assert.deepEqual([response.text, response.headers.get("connection")], ["bye", ["close"]]);
    await client.ended();
    assert.equal(calls, 1);
  });

  it("is kept in HTTP/1.0 only where the client asks", async (t) => {
    const site = await serving(t, () => "ok");
    const kept = await site.connect();
    for (let i = 0; i < 2; i++) {
      kept.write(request("GET / HTTP/1.0\r\nConnection: keep-alive"));
      const response = await kept.response();
      assert.equal(response.text, "ok");
      assert.match(response.headers.get("connection")![0]!, /^keep-alive$/i);
    }
    const ended = await site.connect();
    ended.write(request("GET / HTTP/1.0"));
    assert.equal((await ended.response()).text, "ok");
    await ended.ended();
  });

  it("ends after an HTTP/1.0 stream, to mark its end", async (t) => {
    const site = await serving(t, () => ["a", "b"]);
    const client = await site.connect();
    client.write(request("GET / HTTP/1.0\r\nConnection: keep-alive"));
    const response = await client.response();
    assert.deepEqual([response.framing, response.text, response.headers.get("connection")], ["close", "ab", ["close"]]);
  });

  it("answers two pipelined requests in their order, though the first takes longer", async (t) => {
    const gate = deferred();
    const site = await serving(t, async (r) => {
      if (r.path === "/slow") await gate.promise;
      return r.path;
    });
    const client = await site.connect();
    client.write(request("GET /slow") + request("GET /fast"));
    await settled(() => client.peek().length);
    assert.equal(client.peek().length, 0);
    gate.resolve();
    assert.equal((await client.response()).text, "/slow");
    assert.equal((await client.response()).text, "/fast");
  });

  it("hands out a pipelined request only when the stream before has ended", async (t) => {
    const log: string[] = [];
    const channels: Channel[] = [];
    const site = await serving(t, (r) => {
      log.push(r.path);
      withChannel(r, (channel) => {
        channels.push(channel);
        channel.send(`start ${r.path} `, false);
      });
    });
    const client = await site.connect();
    client.write(request("GET /a") + request("GET /b"));
    await client.head();
    await settled(() => log.length);
    assert.deepEqual(log, ["/a"]);
    channels[0]!.send("end", true);
    const body = [await client.chunk(), await client.chunk(), await client.chunk()];
    assert.equal(body.join(""), "start /a end");
    assert.equal((await client.head()).status, 200);
    assert.deepEqual(log, ["/a", "/b"]);
    channels[1]!.close();
    assert.equal((await client.chunk())?.toString(), "start /b ");
    assert.equal(await client.chunk(), undefined);
  });

  it("answers 100 pipelined requests in order", async (t) => {
    const site = await serving(t, (r) => (Number(r.path.slice(1)) % 3 === 0 ? Promise.resolve(r.path) : r.path));
    const client = await site.connect();
    client.write(Array.from({ length: 100 }, (_, i) => request(`GET /${i}`)).join(""));
    for (let i = 0; i < 100; i++) assert.equal((await client.response()).text, `/${i}`);
  });

  it("stops reading when too many requests wait behind a running one, and later answers all", async (t) => {
    const gate = deferred();
    let count = 0;
    const site = await serving(t, async () => {
      count += 1;
      await gate.promise;
      return "ok";
    });
    const client = await site.connect();
    const one = request(`GET / HTTP/1.1\r\nX-Pad: ${"p".repeat(8000)}`);
    const batch = one.repeat(16);
    const total = 16 * (await client.clog(() => client.write(batch)));
    assert.equal(count, 1);
    gate.resolve();
    for (let i = 0; i < total; i++) assert.equal((await client.response()).status, 200);
  });

  it("gives each request its own answer, whatever the application does with an old channel (http-kit #375)", async (t) => {
    let held: Channel | undefined;
    const site = await serving(t, (r) => {
      if (r.path !== "/held") return `own answer ${r.path}`;
      withChannel(r, (channel) => {
        held = channel;
      });
    });
    const client = await site.connect();
    client.write(request("GET /held"));
    await until(() => held !== undefined, "the channel is there");
    const sent = [held!.send("held")];
    assert.equal((await client.response()).text, "held");
    for (const path of ["/1", "/2", "/3"]) {
      client.write(request(`GET ${path}`));
      sent.push(held!.send("stolen"));
      held!.close();
      held!.terminate();
      assert.equal((await client.response()).text, `own answer ${path}`);
    }
    assert.deepEqual(sent, [true, false, false, false]);
  });

  it("is refused with 503 over `maxConnections`, and taken again when one has gone", async (t) => {
    const site = await serving(t, () => "ok", { maxConnections: 1 });
    const first = await site.connect();
    first.write(request("GET /"));
    await first.response();
    const second = await site.connect();
    const refused = await second.response();
    assert.deepEqual([refused.status, refused.headers.has("retry-after")], [503, true]);
    await second.ended();
    first.destroy();
    await until(() => site.server.stats().connections === 0, "the first is gone");
    assert.equal((await site.request("GET /")).text, "ok");
  });
});
