// Messages that wait for the application when their session moves to another process: in the channel, and behind it in the session.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { memorySessions, openSession, type Server, type SessionStore, serve } from "../../src/index.ts";
import { back, type Endpoint, opened, poll, post, text } from "../support/session-client.ts";
import { until } from "../support/wait.ts";

interface Process {
  readonly server: Server;
  readonly endpoint: Endpoint;
  readonly received: string[];
}

/** A server whose receivers wait for `gate`. */
async function start(t: TestContext, sessions: SessionStore, gate: Promise<void>): Promise<Process> {
  const received: string[] = [];
  const server = await serve(
    (request) =>
      openSession(request, {
        async message(message) {
          received.push(String(message));
          await gate;
        },
      }),
    { port: 0, host: "127.0.0.1", sessions },
  );
  t.after(() => server.stop({ graceMs: 0 }));
  return { server, endpoint: { port: server.port, pathname: "/" }, received };
}

/** `count` numbered messages of about `size` characters. */
function numbered(count: number, size: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i + 1}`.padEnd(size, "."));
}

describe("messages that wait when their session moves", () => {
  for (const [what, messages] of [
    ["more than a channel holds by their number", numbered(300, 4)],
    ["more than a channel holds by their bytes", numbered(8, 30_000)],
  ] as const) {
    it(`are received in the next processes, in order and once: ${what}`, async (t) => {
      const store = memorySessions();
      let open: () => void = () => {};
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const processes = [await start(t, store.share(), gate), await start(t, store.share(), gate)] as const;
      const [first, second] = processes;
      const opening = opened(await poll(t, first.endpoint));
      await poll(t, first.endpoint, { ...back(opening, 0), park: 0 });
      const { status } = await post(t, first.endpoint, opening.session, 1, ...messages.map((data) => text(data)));
      assert.equal(status, 200);
      assert.deepEqual(first.received, messages.slice(0, 1));
      const stopped = first.server.stop({ graceMs: 5000 });
      // Sessions leave when the system's connections have been taken, which is some turns later.
      for (let turns = 0; turns < 8; turns++) await new Promise(setImmediate);
      open();
      await stopped;
      assert.deepEqual(first.received, messages.slice(0, 1));
      await poll(t, second.endpoint, { ...back(opening, 0), park: 0 });
      await until(() => second.received.length >= messages.length - 1, "the rest");
      assert.deepEqual(second.received, messages.slice(1));
    });
  }
});
