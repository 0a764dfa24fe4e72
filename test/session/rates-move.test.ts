// The rate of a session that moves to another process: what waits goes along, and the budget there is full.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { memorySessions, openSession, type Server, type SessionStore, serve } from "../../src/index.ts";
import { type Endpoint, opened, poll, post, text } from "../support/session-client.ts";
import { until } from "../support/wait.ts";

/** Ten messages at once, and the next one after 100 s. */
const TEN = { maxMessagesPerSecond: 0.01, rateBurstMs: 1_000_000, onRateExceeded: "wait" } as const;

async function start(
  t: TestContext,
  sessions: SessionStore,
): Promise<{ server: Server; endpoint: Endpoint; got: string[] }> {
  const got: string[] = [];
  const server = await serve((request) => openSession(request, { message: (one) => void got.push(String(one)) }, TEN), {
    port: 0,
    host: "127.0.0.1",
    sessions,
  });
  t.after(() => server.stop({ graceMs: 0 }));
  return { server, endpoint: { port: server.port, pathname: "/" }, got };
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

describe("a session whose messages wait for their turn", () => {
  it("takes them along to another process, which begins with a full budget", async (t) => {
    const sessions = memorySessions();
    const first = await start(t, sessions.share());
    const second = await start(t, sessions.share());
    const { session } = opened(await poll(t, first.endpoint));
    await post(t, first.endpoint, session, 1, ...numbers(1, 15).map(text));
    assert.deepEqual(first.got, numbers(1, 10));
    await first.server.stop();
    const back = opened(await poll(t, second.endpoint, { session, after: 0, park: 0 }));
    assert.equal(back.resumed, true);
    await until(() => second.got.length === 5, "those that waited have come");
    await post(t, second.endpoint, session, 16, ...numbers(16, 30).map(text));
    assert.deepEqual([...first.got, ...second.got], numbers(1, 20));
    assert.equal(second.server.stats().rateExceeded.wait, 1);
  });
});
