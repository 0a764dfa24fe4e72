// Requests that node:http passes on and the engine would refuse, and those of a server that has stopped: a client cannot make a
// route throw, or be believed, by what it sends.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSession, withChannel } from "../../../src/index.ts";
import { attaching } from "../../support/attached.ts";
import { request } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";
import { upgradeRequest, WsClient } from "../../support/ws-client.ts";

describe("a request that is refused before its route could be asked", () => {
  const wrong: readonly [what: string, text: string, status: number][] = [
    ["a Host with a path", "GET / HTTP/1.1\r\nHost: a.example/admin", 400],
    ["a Host with a user", "GET / HTTP/1.1\r\nHost: user@a.example", 400],
    ["a port that is none", "GET / HTTP/1.1\r\nHost: a.example:65536", 400],
    ["two Hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example", 400],
    ["the version 2.0", "GET / HTTP/2.0\r\nHost: a.example", 505],
    ["a foreign Host", "GET / HTTP/1.1\r\nHost: evil.example", 421],
    ["a foreign target beside its own Host", "GET http://evil.example/ HTTP/1.1\r\nHost: a.example", 421],
    ["a target with a user", "GET http://user@a.example/ HTTP/1.1\r\nHost: a.example", 400],
  ];
  for (const [what, text, status] of wrong) {
    it(`is answered with ${status} for ${what}, and its channel is closed without a setup`, async (t) => {
      const setups: string[] = [];
      const opens: boolean[] = [];
      const options = status === 421 ? { allowedHosts: ["a.example"] } : {};
      const site = await attaching(
        t,
        (attached) => (req, res) => {
          const asked = attached.request(req, res);
          const open = { open: () => void setups.push("open") };
          if (req.url === "/session") opens.push(openSession(asked, open).isOpen);
          else opens.push(withChannel(asked, open.open).isOpen);
        },
        options,
      );
      for (const sent of [request(text), request(text.replace(" / ", " /session "))]) {
        const client = await site.connect();
        client.write(sent);
        assert.equal((await client.response()).status, status);
        client.destroy();
      }
      assert.deepEqual([setups, opens], [[], [false, false]]);
      await site.attached.stop({ graceMs: Number.POSITIVE_INFINITY });
    });

    it(`is answered with ${status} by a listener for ${what}, and its handler does not run`, async (t) => {
      let calls = 0;
      const options = status === 421 ? { allowedHosts: ["a.example"] } : {};
      const site = await attaching(t, (attached) => attached.listener(() => String(++calls)), options);
      const client = await site.connect();
      client.write(request(text));
      assert.equal((await client.response()).status, status);
      assert.equal(calls, 0);
    });
  }

  it("is a preflight of an allowed origin, which is answered", async (t) => {
    const site = await attaching(
      t,
      (attached) => (req, res) => {
        withChannel(attached.request(req, res), () => assert.fail("a preflight opens nothing"));
      },
      { allowedOrigins: ["https://page.example"] },
    );
    const client = await site.connect();
    client.write(request("OPTIONS / HTTP/1.1\r\nOrigin: https://page.example\r\nAccess-Control-Request-Method: POST"));
    const { status, headers } = await client.response();
    assert.deepEqual([status, headers.get("access-control-allow-origin")], [204, ["https://page.example"]]);
  });

  it("is a WebSocket of a page of another origin: 403, unless the origin is allowed", async (t) => {
    const site = await attaching(
      t,
      (attached) => (req, res) => {
        withChannel(attached.request(req, res), (channel) => void channel.send("in"));
      },
      { allowedOrigins: ["https://page.example"] },
    );
    const client = await site.connect();
    client.write(upgradeRequest("/", ["Origin: https://evil.example"]));
    assert.equal((await client.response()).status, 403);
    const allowed = await WsClient.open(t, site.target, { fields: ["Origin: https://page.example"] });
    assert.equal(await allowed.message(), "in");
  });
});

describe("an upgrade behind a request that is not answered", () => {
  it("waits for its connection, and opens then", async (t) => {
    const answers: (() => void)[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      if (req.url === "/slow") answers.push(() => res.end("slow"));
      else withChannel(attached.request(req, res), (channel) => void channel.send("open"));
    });
    const client = await site.connect();
    client.write(request("GET /slow") + upgradeRequest("/"));
    await until(() => answers.length === 1 && site.attached.stats().connections === 1, "both have come");
    answers[0]!();
    assert.equal((await client.response()).text, "slow");
    assert.equal((await client.head()).status, 101);
    assert.equal((await client.take(6)).toString("latin1"), "\x81\x04open");
  });

  it("is dropped after headerTimeoutMs", async (t) => {
    const site = await attaching(t, () => () => {}, { headerTimeoutMs: 1 });
    const client = await site.connect();
    client.write(request("GET /never") + upgradeRequest("/"));
    await client.ended();
    await until(() => site.attached.stats().connections === 0, "nothing is open");
  });

  it("is dropped with its connection where it asks for another protocol", async (t) => {
    const site = await attaching(t, () => () => {});
    const client = await site.connect();
    client.write(request("GET /never") + request("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c"));
    await client.ended();
  });
});
