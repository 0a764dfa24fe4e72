// Connections of a server of node:http that carry more than one request: the next one is answered whatever became of the one
// before, and what a client does not take of many responses is bounded.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, withChannel } from "../../../src/index.ts";
import { attaching } from "../../support/attached.ts";
import { request } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";

describe("a connection", () => {
  it("goes on to its next request where the handler has read a part of the body", async (t) => {
    const site = await attaching(t, (attached) =>
      attached.listener(async (asked) => {
        if (asked.method === "POST") await asked.body!.getReader().read();
        return asked.method;
      }),
    );
    const client = await site.connect();
    client.write(request(`POST / HTTP/1.1\r\nContent-Length: ${1 << 20}`));
    client.write(Buffer.alloc(1 << 20));
    assert.equal((await client.response()).text, "POST");
    client.write(request("GET / HTTP/1.1"));
    assert.equal((await client.response()).text, "GET");
  });

  it("gets a response with the field Trailer, and leaves it out where there are no trailers", async (t) => {
    const site = await attaching(t, (attached) =>
      attached.listener(() => ({ status: 200, headers: { Trailer: "Expires" }, body: "whole" })),
    );
    for (const version of ["1.0", "1.1"]) {
      const { status, headers, text } = await site.request(`GET / HTTP/${version}`);
      assert.deepEqual([status, text, headers.has("trailer")], [200, "whole", false]);
    }
  });

  it("is lost after writeTimeoutMs of many short responses", async (t) => {
    const site = await attaching(t, (attached) => attached.listener(() => "x".repeat(200_000)), { writeTimeoutMs: 1 });
    const client = await site.connect();
    client.pause();
    client.write(request("GET / HTTP/1.1").repeat(300));
    await until(() => site.attached.stats().connections > 100, "they wait for the client");
    await until(() => site.attached.stats().connections === 0, "none waits any more");
    client.resume();
    await client.until(() => client.isEnded, "it is closed");
  });

  it("lives while a response waits for an earlier one, however much that is", async (t) => {
    const channels = new Map<string, Channel>();
    const site = await attaching(
      t,
      (attached) => (req, res) => {
        withChannel(attached.request(req, res), (channel) => void channels.set(req.url!, channel));
      },
      { writeTimeoutMs: 1 },
    );
    const client = await site.connect();
    client.write(request("GET /first HTTP/1.1") + request("GET /second HTTP/1.1"));
    await until(() => channels.size === 2, "both are open");
    const text = "x".repeat(500_000);
    channels.get("/second")!.send(text, false);
    // Three ticks: a timeout is found by the second one.
    await new Promise((resolve) => setTimeout(resolve, 1600));
    channels.get("/first")!.send("first");
    assert.equal((await client.response()).text, "first");
    channels.get("/second")!.close();
    assert.equal((await client.response()).text, text);
  });
});
