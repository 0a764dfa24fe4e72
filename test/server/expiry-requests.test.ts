// The requests of a session whose client's identity ends, one by one. Run inside other hosts as well.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Channel, openSession, type ServerStats } from "../../src/index.ts";
import { serving } from "../support/serving.ts";
import { ask, opened, poll, SocketClient } from "../support/session-client.ts";

describe("the requests of a session whose identity ends", () => {
  /** The query of a request has its date, in seconds from now on. */
  async function start(t: TestContext) {
    const channels: Channel[] = [];
    const calls: string[] = [];
    const handlers = {
      open: (channel: Channel) => void channels.push(channel),
      message: (message: unknown) => void calls.push(String(message)),
    };
    const { target, server } = await serving(t, (request) => {
      const inS = request.query.get("ends");
      return openSession(request, handlers, { expiresAt: inS === null ? undefined : Date.now() + 1000 * Number(inS) });
    });
    const endpoint = { ...target, pathname: "/" };
    return { endpoint, channels, calls, server };
  }

  /** Asserts that the identity ends in about as many seconds. */
  function endsIn(seconds: number, expiresAt: number | undefined): void {
    assert.ok(Math.abs(expiresAt! - Date.now() - 1000 * seconds) < 500_000, `${expiresAt! - Date.now()} ms`);
  }

  it("renew it by each GET and WebSocket, to an earlier or later date", async (t) => {
    const { endpoint, channels } = await start(t);
    const first = opened(await poll(t, endpoint, { ends: 1000 }));
    const { session } = first;
    endsIn(1000, channels[0]!.expiresAt);
    endsIn(1000, Date.now() + first.expiresInMs!);
    for (const ends of [3000, 2000, 5000]) {
      const open = opened(await poll(t, endpoint, { session, after: 0, park: 0, ends }));
      endsIn(ends, channels[0]!.expiresAt);
      endsIn(ends, Date.now() + open.expiresInMs!);
    }
    const socket = await SocketClient.open(t, endpoint, { session, after: 0, ends: 4000 });
    endsIn(4000, Date.now() + (await socket.opened()).expiresInMs!);
    endsIn(4000, channels[0]!.expiresAt);
  });

  it("leave it as it is where they bring no date", async (t) => {
    const { endpoint, channels } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    const open = opened(await poll(t, endpoint, { session, after: 0, park: 0 }));
    endsIn(1000, Date.now() + open.expiresInMs!);
    endsIn(1000, channels[0]!.expiresAt);
  });

  it("take its end away with Infinity", async (t) => {
    const { endpoint, channels } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    const open = opened(await poll(t, endpoint, { session, after: 0, park: 0, ends: "Infinity" }));
    assert.equal(open.expiresInMs, undefined);
    assert.equal(channels[0]!.expiresAt, undefined);
  });

  it("put it off by a POST, which never makes it earlier", async (t) => {
    const { endpoint, channels } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    const postTo = async (ends: number, from: number): Promise<void> => {
      const query = { session, from, ends };
      assert.equal((await ask(t, endpoint, { method: "POST", query, body: "data: a\n\n" })).status, 200);
    };
    await postTo(3000, 1);
    endsIn(3000, channels[0]!.expiresAt);
    await postTo(2000, 2);
    endsIn(3000, channels[0]!.expiresAt);
  });

  it("are refused with 401 where their own date has passed, and change nothing", async (t) => {
    const { endpoint, channels, calls } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    assert.equal((await poll(t, endpoint, { session, after: 0, park: 0, ends: -1 })).status, 401);
    const query = { session, from: 1, ends: -1 };
    assert.equal((await ask(t, endpoint, { method: "POST", query, body: "data: a\n\n" })).status, 401);
    await assert.rejects(SocketClient.open(t, endpoint, { session, after: 0, ends: -1 }));
    endsIn(1000, channels[0]!.expiresAt);
    assert.deepEqual(calls, []);
  });

  it("come too late to renew what has ended, even before a tick of the server", async (t) => {
    const { endpoint, channels, server } = await start(t);
    const { session } = opened(await poll(t, endpoint, { ends: 1000 }));
    channels[0]!.expiresAt = Date.now() - 1;
    const { records } = await poll(t, endpoint, { session, after: 0, ends: 1000 });
    assert.deepEqual(records.at(-1), { type: "close", code: 4401, reason: "identity expired" });
    assert.equal(channels[0]!.isOpen, false);
    const { expired }: ServerStats = server.stats();
    assert.equal(expired, 1);
  });
});
