// The end of channels inside a server of node:http: by `stop`, or because the server closes under them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { type CloseStatus, withChannel } from "../../../src/index.ts";
import { type AttachedSite, attaching } from "../../support/attached.ts";
import { request } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";
import { upgradeRequest, WsClient } from "../../support/ws-client.ts";

interface Open {
  readonly site: AttachedSite;
  readonly socket: WsClient;
  readonly closed: CloseStatus[];
}

/** A WebSocket and an event stream that are open; every path but `/live` is the application's own. */
async function opening(t: TestContext): Promise<Open> {
  const closed: CloseStatus[] = [];
  const site = await attaching(
    t,
    (attached) => (req, res) => {
      if (req.url !== "/live") return void res.end("the application's");
      withChannel(attached.request(req, res), (channel) => channel.onClose((status) => void closed.push(status)));
    },
    { upgrades: "/live" },
  );
  const socket = await WsClient.open(t, site.target, { path: "/live" });
  const events = await site.connect();
  events.write(request("GET /live\r\nAccept: text/event-stream"));
  await events.head();
  await until(() => site.attached.stats().channels.sse === 1, "both are open");
  return { site, socket, closed };
}

describe("the stop of what is attached", () => {
  it("ends the channels, runs their close handlers, and leaves the server to the application", async (t) => {
    const { site, socket, closed } = await opening(t);
    const stopped = site.attached.stop({ graceMs: 5000 });
    assert.equal((await socket.closed()).code, 1001);
    socket.close(1001);
    await stopped;
    assert.deepEqual(closed.map(({ by, code }) => `${by} ${code}`).sort(), ["server 1000", "server 1001"]);
    assert.equal(site.attached.status, "stopped");
    assert.equal((await site.request("GET /other")).text, "the application's");
  });

  it("refuses later requests for channels with 503, a WebSocket too", async (t) => {
    const { site } = await opening(t);
    await site.attached.stop({ graceMs: 0 });
    const response = await site.request("GET /live");
    assert.deepEqual([response.status, response.headers.get("retry-after")], [503, ["1"]]);
    const client = await site.connect();
    client.write(upgradeRequest("/live"));
    assert.equal((await client.response()).status, 503);
  });

  it("drops what is open after graceMs", async (t) => {
    const { site, closed } = await opening(t);
    await site.attached.stop({ graceMs: 0 });
    assert.equal(closed.length, 2);
    assert.equal(site.attached.stats().connections, 0);
  });
});

describe("a server that closes under its channels", () => {
  it("ends them, and comes to its end although it has WebSockets", async (t) => {
    const { site, socket, closed } = await opening(t);
    const over = once(site.http, "close");
    site.http.close();
    assert.equal((await socket.closed()).code, 1001);
    socket.close(1001);
    await over;
    await until(() => site.attached.status === "stopped", "it is stopped");
    assert.equal(closed.length, 2);
  });

  it("ends those whose connections it drops", async (t) => {
    const { site, closed } = await opening(t);
    site.http.closeAllConnections();
    await until(() => closed.length === 1, "the event stream's close handler has run");
    assert.deepEqual([closed[0]!.by, closed[0]!.code], ["client", 1001]);
    assert.equal(site.attached.stats().channels.websocket, 1);
  });
});
