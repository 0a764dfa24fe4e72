// Clients that stop reading, or vanish silently: `writeTimeoutMs`, `pongTimeoutMs`, in real time with short limits.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Channel,
  type ChannelOptions,
  type CloseStatus,
  type ServeOptions,
  withChannel,
} from "../../src/index.ts";
import { RawClient, type Target } from "../support/raw-client.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { stallingProxy } from "../support/stalling-proxy.ts";
import { type Deferred, deferred, settled, until } from "../support/wait.ts";
import { upgradeRequest } from "../support/ws-client.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
/** More than the system takes for a client that does not read. */
const MUCH = 24 * MIB;

const REQUESTS = {
  websocket: upgradeRequest(),
  "event stream": request("GET / HTTP/1.1\r\nAccept: text/event-stream"),
  stream: request("GET /"),
};
type Kind = keyof typeof REQUESTS;
const KINDS = Object.keys(REQUESTS) as Kind[];

interface Talk {
  readonly site: Site;
  readonly channel: Deferred<Channel>;
  readonly status: Deferred<CloseStatus>;
}

async function talk(t: TestContext, options: ServeOptions, channelOptions: ChannelOptions): Promise<Talk> {
  const channel = deferred<Channel>();
  const status = deferred<CloseStatus>();
  const site = await serving(
    t,
    (r) =>
      withChannel(
        r,
        (opened) => {
          opened.onClose(status.resolve);
          opened.send("hello", false);
          channel.resolve(opened);
        },
        channelOptions,
      ),
    options,
  );
  return { site, channel, status };
}

/** A client of this kind that has got its first message. */
async function greeted(t: TestContext, target: Target, kind: Kind): Promise<RawClient> {
  const client = await RawClient.connect(t, target);
  client.write(REQUESTS[kind]);
  await client.until(() => client.peek().includes("hello"), "the first message");
  return client;
}

function assertLost({ by, code, name }: CloseStatus): void {
  assert.deepEqual({ by, code, name }, { by: "network", code: 1006, name: "abnormal" });
}

describe("a client that stops reading", () => {
  it("is dropped after writeTimeoutMs, whatever it gets: by the network, 1006", async (t) => {
    await Promise.all(
      KINDS.map(async (kind) => {
        const { site, channel, status } = await talk(t, { writeTimeoutMs: 100 }, { maxBufferedBytes: 2 * MUCH });
        const client = await greeted(t, site.target, kind);
        client.pause();
        assert.equal((await channel.promise).send("x".repeat(MUCH), false), true);
        assertLost(await status.promise);
        await until(() => site.server.stats().connections === 0, `${kind}: the connection is gone`);
      }),
    );
  });

  it("is dropped when it does not read its last answer", async (t) => {
    const site = await serving(t, () => "x".repeat(MUCH), { writeTimeoutMs: 100 });
    const client = await site.connect();
    client.pause();
    client.write(request("GET / HTTP/1.1\r\nConnection: close"));
    await until(() => site.server.stats().requests === 1, "the request is there");
    await until(() => site.server.stats().connections === 0, "the connection is gone");
  });

  it("has its next pipelined request begun only after it has read the earlier answers", async (t) => {
    const answer = "x".repeat(MIB);
    let calls = 0;
    const site = await serving(t, () => {
      calls += 1;
      return answer;
    });
    const client = await site.connect();
    client.pause();
    client.write(request("GET /").repeat(100));
    client.end();
    await until(() => calls > 0, "the first is there");
    await settled(() => calls);
    assert.ok(calls < 40, `few are answered: ${calls}`);
    client.resume();
    for (let i = 0; i < 100; i++) assert.equal((await client.response()).body.length, MIB);
    await client.ended();
    assert.equal(calls, 100);
  });

  it("gets all that was sent before a close, however long it takes, and then has closeTimeoutMs", async (t) => {
    const { site, channel, status } = await talk(t, { closeTimeoutMs: 10 }, { maxBufferedBytes: 2 * MUCH });
    const client = await greeted(t, site.target, "websocket");
    client.pause();
    const opened = await channel.promise;
    opened.send("x".repeat(MUCH));
    opened.close(4000, "enough");
    // A timer of closeTimeoutMs would have fired by now.
    await new Promise((resolve) => setTimeout(resolve, 100));
    client.resume();
    await client.until(() => client.peek().subarray(-6).equals(Buffer.from("enough")), "the close frame");
    assert.deepEqual(await status.promise, { by: "server", code: 4000, reason: "enough", name: "application" });
  });
});

describe("a client whose network has gone", () => {
  for (const kind of KINDS) {
    it(`is noticed, and lost to the network: ${kind}`, async (t) => {
      const options = { pingIntervalMs: 100, pongTimeoutMs: 100, writeTimeoutMs: 100 };
      const { site, channel, status } = await talk(t, options, { onOverflow: "drop", maxBufferedBytes: MIB });
      const proxy = await stallingProxy(t, site.server.port);
      await greeted(t, proxy.target, kind);
      const opened = await channel.promise;
      proxy.stall();
      // A WebSocket's pong is missed. What has none is noticed where the system takes no more.
      for (let i = 0; i < 400 && opened.isOpen; i++) {
        if (kind !== "websocket") opened.send("x".repeat(256 * KIB), false);
        await new Promise(setImmediate);
      }
      assertLost(await status.promise);
      await until(() => site.server.stats().connections === 0, "the connection is gone");
    });
  }
});
