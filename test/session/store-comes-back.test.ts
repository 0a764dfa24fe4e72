// Sessions that move while their store fails for a moment, and the handshake of a client that comes to another process.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { ChannelError, memorySessions, openSession, type Server, type SessionStore, serve } from "../../src/index.ts";
import { RawClient } from "../support/raw-client.ts";
import { type Endpoint, SocketClient } from "../support/session-client.ts";

/** A server on a free port that notes in `events` the sessions that it restores and ends. */
async function start(t: TestContext, sessions: SessionStore, events: string[] = []): Promise<[Server, Endpoint]> {
  const server = await serve(
    (request) =>
      openSession(request, {
        save: () => "state",
        restored: (_channel, state) => void events.push(`restored ${state}`),
        close: ({ code }) => void events.push(`close ${code}`),
      }),
    {
      port: 0,
      host: "127.0.0.1",
      sessions,
      onError: (error) => void events.push(`error ${(error as ChannelError).code}`),
    },
  );
  t.after(() => server.stop({ graceMs: 0 }));
  return [server, { port: server.port, pathname: "/" }];
}

/** The same store, whose first `failures` writes of a snapshot reject. */
function failing(sessions: SessionStore, failures: number): { readonly store: SessionStore; left: number } {
  const result = {
    left: failures,
    store: new Proxy(sessions, {
      get: (target, name: keyof SessionStore) => {
        if (name === "put" && result.left > 0) {
          return async () => {
            result.left -= 1;
            throw new ChannelError("BACKPLANE_UNAVAILABLE");
          };
        }
        return target[name].bind(target);
      },
    }),
  };
  return result;
}

describe("sessions of a server that stops", () => {
  it("are stored when the session store, which failed at first, can be reached again", async (t) => {
    const sessions = memorySessions();
    const events: string[] = [];
    const leaving = failing(sessions.share(), 3);
    const [first, endpoint] = await start(t, leaving.store, events);
    const [, other] = await start(t, sessions.share(), events);
    const client = await SocketClient.open(t, endpoint);
    const { session } = await client.opened();
    await first.stop();
    assert.equal(leaving.left, 0);
    assert.deepEqual(events, []);
    const again = await SocketClient.open(t, other, { session, after: 0 });
    assert.equal((await again.opened()).resumed, true);
    assert.deepEqual(events, ["restored state"]);
  });

  it("end, and their clients are told, when the session store stays away", async (t) => {
    const events: string[] = [];
    const leaving = failing(memorySessions(), Number.POSITIVE_INFINITY);
    const [first, endpoint] = await start(t, leaving.store, events);
    const client = await SocketClient.open(t, endpoint);
    await client.opened();
    const stopped = first.stop({ graceMs: 500 });
    const record = await client.record();
    assert.ok(record?.type === "close" && record.code === 1012, JSON.stringify(record));
    await stopped;
    assert.deepEqual(events, ["error BACKPLANE_UNAVAILABLE", "close 1012"]);
  });
});

describe("the WebSocket of a session that has moved", () => {
  it("gets its 101 without an interim response, which browsers take for a refusal", async (t) => {
    const sessions = memorySessions();
    const [first, endpoint] = await start(t, sessions.share());
    const [, other] = await start(t, sessions.share());
    const { session } = await (await SocketClient.open(t, endpoint)).opened();
    await first.stop();
    const client = await RawClient.connect(t, other);
    client.write(
      `GET /?session=${session}&after=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: unichannel.v1\r\n\r\n",
    );
    assert.equal((await client.head()).status, 101);
  });
});
