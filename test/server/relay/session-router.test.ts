// The way of a request to its session where something is missing: the store, the owner, the client, or time.

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { memorySessions } from "../../../src/backplane/memory-sessions.ts";
import type { SessionStore } from "../../../src/backplane/session-store.ts";
import { unavailable } from "../../../src/backplane/unavailable.ts";
import { type ChannelRequest, openSession, type ServeOptions } from "../../../src/index.ts";
import { RawClient } from "../../support/raw-client.ts";
import { type Site, serving } from "../../support/serving.ts";
import { ack, ask, back, type Endpoint, opened, poll, post, text } from "../../support/session-client.ts";
import { until } from "../../support/wait.ts";

interface Process {
  readonly site: Site;
  readonly endpoint: Endpoint;
}

const handler = (request: ChannelRequest): unknown => openSession(request, {});

async function start(
  t: TestContext,
  sessions: SessionStore,
  handle: (request: ChannelRequest) => unknown = handler,
  options: ServeOptions = {},
): Promise<Process> {
  const site = await serving(t, handle as never, { sessions, ...options });
  return { site, endpoint: { ...site.target, pathname: "/s" } };
}

describe("a request for a session of another process", () => {
  it("names its session in any encoding of the query", async (t) => {
    const store = memorySessions();
    const [owner, other] = [await start(t, store.share()), await start(t, store.share())];
    const open = opened(await poll(t, owner.endpoint));
    const encoded = [...open.session].map((char) => `%${char.charCodeAt(0).toString(16)}`).join("");
    for (const query of [`session=${encoded}`, `s%65ssion=${open.session}`, `session=${open.session}&session=other`]) {
      const endpoint = { ...other.endpoint, pathname: `/s?mode=poll&park=0&after=0&${query}` };
      assert.deepEqual((await ask(t, endpoint, {})).records, [{ ...open, resumed: true }], query);
    }
  });

  it("is passed on while the store is away, if the owner was asked before, and gets 503 otherwise", async (t) => {
    const store = memorySessions();
    let isAway = false;
    const ofOther = store.share();
    const guarded = Object.assign(store.share(), {
      locate: (process: string) => (isAway ? Promise.reject(unavailable("away")) : ofOther.locate(process)),
      take: (...args: Parameters<SessionStore["take"]>) =>
        isAway ? Promise.reject(unavailable("away")) : ofOther.take(...args),
    });
    const [owner, second] = [await start(t, store.share()), await start(t, store.share())];
    const other = await start(t, guarded);
    const open = opened(await poll(t, owner.endpoint));
    const unasked = opened(await poll(t, second.endpoint));
    assert.equal((await poll(t, other.endpoint, { ...back(open, 0), park: 0 })).status, 200);
    isAway = true;
    // Longer than an address is used without asking the store again.
    await delay(2100);
    assert.deepEqual((await poll(t, other.endpoint, { ...back(open, 0), park: 0 })).records, [
      { ...open, resumed: true },
    ]);
    const refused = await poll(t, other.endpoint, { ...back(unasked, 0), park: 0 });
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.response.headers.get("retry-after")?.[0]) > 0);
  });

  it("gets 503 where the owner is at a Unix socket of another machine, which is reported once", async (t) => {
    const store = memorySessions();
    const ofOwner = store.share();
    const owner = await start(
      t,
      Object.assign(store.share(), {
        announce: (process: string, _address: string, ttlMs: number) =>
          ofOwner.announce(process, "unix:anotherMachine00:/tmp/s", ttlMs),
      }),
    );
    const other = await start(t, store.share());
    const open = opened(await poll(t, owner.endpoint));
    for (let n = 0; n < 2; n++) assert.equal((await poll(t, other.endpoint, back(open, 0))).status, 503);
    const [report, ...more] = other.site.takeMessages();
    assert.match(String(report), /sessions: .*Unix socket of another machine.*relay/);
    assert.deepEqual(more, []);
  });

  it("leaves the session where another request finds it, if its client leaves while the session is taken", async (t) => {
    const store = memorySessions();
    const ofTaker = store.share();
    let takes = 0;
    const slow = Object.assign(store.share(), {
      async take(...args: Parameters<SessionStore["take"]>) {
        takes += 1;
        const answer = await ofTaker.take(...args);
        await delay(200);
        return answer;
      },
    });
    const [owner, taker, third] = [await start(t, store.share()), await start(t, slow), await start(t, store.share())];
    const open = opened(await poll(t, owner.endpoint));
    await poll(t, owner.endpoint, { ...back(open, 0), park: 0 });
    await owner.site.server.stop({ graceMs: 1000 });
    const client = await RawClient.connect(t, taker.endpoint);
    client.write(`GET /s?mode=poll&session=${open.session}&after=0 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => takes === 1, "the take");
    client.reset();
    await delay(300);
    const { records } = await poll(t, third.endpoint, { ...back(open, 0), park: 0 });
    assert.deepEqual(records, [{ ...open, resumed: true }]);
  });

  it("gets 503, and no carrier, if its handler was still running when the session began to leave", async (t) => {
    const store = memorySessions();
    let isFree: () => void = () => {};
    const slow = new Promise<void>((resolve) => (isFree = resolve));
    let isReceiving: () => void = () => {};
    const owner = await start(t, store.share(), async (request) => {
      if (request.query.has("slow")) await slow;
      return openSession(request, { message: () => new Promise<void>((resolve) => (isReceiving = resolve)) });
    });
    const next = await start(t, store.share());
    const open = opened(await poll(t, owner.endpoint));
    assert.equal((await post(t, owner.endpoint, open.session, 1, text("1"))).status, 200);
    const late = [
      ask(t, owner.endpoint, { query: { ...back(open, 0), mode: "poll", slow: 1 } }),
      ask(t, owner.endpoint, {
        method: "POST",
        query: { session: open.session, from: 2, slow: 1 },
        body: "data: 2\n\n",
      }),
    ];
    await delay(200);
    const stopped = owner.site.server.stop({ graceMs: 20_000 });
    await delay(100);
    isFree();
    assert.deepEqual(
      (await Promise.all(late)).map(({ status }) => status),
      [503, 503],
    );
    isReceiving();
    await stopped;
    assert.deepEqual((await post(t, next.endpoint, open.session, 2, text("2"))).records, [ack(2)]);
  });

  it("is looked for in the store first once its owner has said that it stops, and waits for a session on its way there", async (t) => {
    const store = memorySessions();
    const ofOwner = store.share();
    let asked = 0;
    const counted = Object.assign(store.share(), {
      async announce(process: string, address: string, ttlMs: number) {
        await ofOwner.announce(process, await countedAddress(t, address, () => (asked += 1)), ttlMs);
      },
    });
    const saves: (() => void)[] = [];
    const owner = await start(t, counted, (request) =>
      openSession(request, {
        save: () => (request.query.has("slow") ? new Promise<void>((resolve) => saves.push(resolve)) : undefined),
      }),
    );
    const other = await start(t, store.share());
    const slow = await poll(t, owner.endpoint, { slow: 1, park: 0 });
    const quick = [];
    for (let n = 0; n < 4; n++) quick.push(await poll(t, owner.endpoint, { park: 0 }));
    const stopped = owner.site.server.stop({ graceMs: 20_000 });
    await until(() => saves.length === 1, "the save of the slow session");
    for (const answer of quick) {
      const open = opened(answer);
      const { records } = await poll(t, other.endpoint, { ...back(open, 0), park: 0 });
      assert.deepEqual(records, [{ ...open, resumed: true }]);
    }
    assert.equal(asked, 1);
    const waiting = poll(t, other.endpoint, { ...back(opened(slow), 0), park: 0, slow: 1 });
    await delay(20);
    saves[0]?.();
    assert.deepEqual((await waiting).records, [{ ...opened(slow), resumed: true }]);
    assert.equal(asked, 1);
    await stopped;
  });
});

/** An address whose connections are counted and passed on to the Unix socket of another one. */
async function countedAddress(t: TestContext, address: string, onConnection: () => void): Promise<string> {
  const [scheme, machine, path = ""] = address.split(":");
  const counting = `${path}.counted`;
  const server = createServer((from) => {
    onConnection();
    const to = connect(path);
    for (const socket of [from, to]) socket.on("error", () => {});
    from.pipe(to).pipe(from);
  });
  server.on("error", () => {});
  server.listen(counting);
  t.after(() => server.close());
  return `${scheme}:${machine}:${counting}`;
}
