// The end of an identity moves to another process with its session.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { connect } from "../../src/client/index.ts";
import { type Channel, memorySessions, openSession, type Server, type SessionStore, serve } from "../../src/index.ts";
import { type Endpoint, SocketClient } from "../support/session-client.ts";
import { until } from "../support/wait.ts";

interface Process {
  readonly server: Server;
  readonly endpoint: Endpoint;
  readonly channels: Channel[];
  readonly closes: string[];
}

/** A process of a service. The query of a request may have its date, in milliseconds from now on. */
async function start(t: TestContext, sessions: SessionStore): Promise<Process> {
  const channels: Channel[] = [];
  const closes: string[] = [];
  const add = (channel: Channel): void => void channels.push(channel);
  const server = await serve(
    (request) => {
      const inMs = request.query.get("ends");
      const expiresAt = inMs === null ? undefined : Date.now() + Number(inMs);
      const close = ({ code }: { code: number }): void => void closes.push(`close ${code}`);
      return openSession(request, { open: add, restored: add, close }, { expiresAt });
    },
    { port: 0, host: "127.0.0.1", sessions, logger: { info() {}, warn() {}, error() {} } },
  );
  t.after(() => server.stop({ graceMs: 0 }));
  return { server, endpoint: { port: server.port, pathname: "/" }, channels, closes };
}

describe("a session whose client's identity ends, in another process,", () => {
  it("has the date that it had, and tells it", async (t) => {
    const sessions = memorySessions();
    const first = await start(t, sessions.share());
    const second = await start(t, sessions.share());
    const { session } = await (await SocketClient.open(t, first.endpoint, { ends: 3_600_000 })).opened();
    const { expiresAt } = first.channels[0]!;
    await first.server.stop();
    const open = await (await SocketClient.open(t, second.endpoint, { session, after: 0 })).opened();
    assert.equal(open.resumed, true);
    assert.equal(second.channels[0]!.expiresAt, expiresAt);
    assert.ok(Math.abs(Date.now() + open.expiresInMs! - expiresAt!) < 60_000);
  });

  it("is renewed by the request that comes there first", async (t) => {
    const sessions = memorySessions();
    const first = await start(t, sessions.share());
    const second = await start(t, sessions.share());
    const { session } = await (await SocketClient.open(t, first.endpoint, { ends: 3_600_000 })).opened();
    await first.server.stop();
    const query = { session, after: 0, ends: 7_200_000 };
    const open = await (await SocketClient.open(t, second.endpoint, query)).opened();
    assert.ok(open.expiresInMs! > 3_700_000);
    assert.equal(second.channels[0]!.expiresAt! > Date.now() + 3_700_000, true);
  });

  it("ends with 4401 after its last messages, if the date passes while it is in the store", async (t) => {
    const sessions = memorySessions();
    const first = await start(t, sessions.share());
    const second = await start(t, sessions.share());
    const { session } = await (await SocketClient.open(t, first.endpoint, { ends: 3_600_000 })).opened();
    first.channels[0]!.send("last");
    first.channels[0]!.expiresAt = Date.now() + 600;
    await first.server.stop();
    assert.deepEqual(first.closes, []);
    await new Promise((resolve) => setTimeout(resolve, 700));
    // The close is new, so it waits for the claim, which it asks for.
    const client = await SocketClient.open(t, second.endpoint, { session, after: 0, ends: 7_200_000 });
    assert.equal((await client.opened()).resumed, true);
    assert.deepEqual(await client.record(), { type: "message", data: "last" });
    assert.deepEqual(await client.record(), { type: "close", code: 4401, reason: "identity expired" });
    client.send({ type: "ack", received: 2 });
    assert.equal(second.channels[0]!.isOpen, false);
    await until(() => second.closes[0] === "close 4401", "the close handler runs");
    assert.deepEqual(second.closes, ["close 4401"]);
  });

  it("goes on, and is renewed there, without a loss, while its processes are replaced", async (t) => {
    const sessions = memorySessions();
    let now = await start(t, sessions.share());
    const dates: (number | undefined)[] = [];
    const connection = connect(`http://127.0.0.1:${now.endpoint.port}/`, {
      carriers: ["sse"],
      params: { ends: "3000" },
      fetch: (url, init) => fetch(String(url).replace(/:\d+/, `:${now.endpoint.port}`), init),
      backoff: { firstMs: 20, capMs: 100 },
    });
    t.after(() => connection.close());
    const got: string[] = [];
    const outcomes: string[] = [];
    connection.onMessage((message) => got.push(String(message)));
    connection.onOpen(({ session }) => outcomes.push(session));
    await until(() => now.channels.length === 1, "it is open");
    for (let n = 0; n < 4; n++) {
      now.channels[0]!.send(`${n}`);
      await until(() => got.length === n + 1, `message ${n} arrives`);
      dates.push(now.channels[0]!.expiresAt);
      const old = now;
      now = await start(t, sessions.share());
      await old.server.stop();
      await until(() => now.channels.length === 1, "it is in the next process");
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    assert.deepEqual(got, ["0", "1", "2", "3"]);
    assert.deepEqual([...new Set(outcomes)], ["new", "resumed"]);
    for (const [n, date] of dates.entries()) if (n > 0) assert.ok(date! > dates[n - 1]!);
    assert.equal(now.channels[0]!.isOpen, true);
  });
});
