// Requests while their session moves to another process: two real servers with one session store, and a real client.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import WebSocket from "ws";
import { connect, type RequestConnection, requests, type WebSocketConstructor } from "../../src/client/index.ts";
import {
  type Channel,
  memorySessions,
  openSession,
  type Server,
  type SessionHandlers,
  serve,
} from "../../src/index.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import { until } from "../support/wait.ts";

interface Site {
  readonly first: Server;
  readonly second: Server;
  readonly proxy: TcpProxy;
  readonly connection: RequestConnection;
  readonly channels: { readonly first: Channel[]; readonly second: Channel[] };
  /** Ends the first process as a deployment does. */
  move(graceMs: number): Promise<void>;
}

/** `handlers`: those of each process by its name. */
async function site(
  t: TestContext,
  carrier: "websocket" | "sse" | "poll",
  handlers: (name: "first" | "second") => SessionHandlers,
): Promise<Site> {
  const sessions = memorySessions();
  const channels = { first: [] as Channel[], second: [] as Channel[] };
  const start = async (name: "first" | "second"): Promise<Server> => {
    const server = await serve(
      (request) => {
        const channel = openSession(request, handlers(name));
        if (channels[name].at(-1) !== channel) channels[name].push(channel);
        return channel;
      },
      { port: 0, host: "127.0.0.1", sessions: sessions.share() },
    );
    t.after(() => server.stop({ graceMs: 0 }));
    return server;
  };
  const first = await start("first");
  const second = await start("second");
  const proxy = await startTcpProxy(t, first.port);
  const connection = connect(`http://127.0.0.1:${proxy.port}/`, {
    carriers: [carrier],
    requests: requests(),
    WebSocket: WebSocket as unknown as WebSocketConstructor,
  });
  t.after(() => connection.close());
  await connection.opened;
  return {
    first,
    second,
    proxy,
    connection,
    channels,
    async move(graceMs) {
      proxy.redirect(second.port);
      await first.stop({ graceMs });
    },
  };
}

describe("a request whose session moves to another process", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`is answered once by the process that has begun, if it ends in time (${carrier})`, async (t) => {
      const calls: string[] = [];
      const { connection, move } = await site(t, carrier, (name) => ({
        async request(data) {
          calls.push(`${name} ${data}`);
          await new Promise((resolve) => setTimeout(resolve, 100));
          return `${name} answers ${data}`;
        },
      }));
      const reply = connection.request("1");
      await until(() => calls.length === 1, "the handler runs");
      const moved = move(30_000);
      assert.equal(await reply, "first answers 1");
      await moved;
      assert.equal(await connection.request("2"), "second answers 2");
      assert.deepEqual(calls, ["first 1", "second 2"]);
    });

    it(`is answered by the other process, if its handler has not begun (${carrier})`, async (t) => {
      const calls: string[] = [];
      let release: (() => void) | undefined;
      const { connection, move } = await site(t, carrier, (name) => ({
        // The request waits behind this message.
        message: () => (name === "first" ? new Promise<void>((resolve) => (release = resolve)) : undefined),
        request(data) {
          calls.push(`${name} ${data}`);
          return `${name} answers ${data}`;
        },
      }));
      connection.send("busy");
      const reply = connection.request("1");
      await until(() => release !== undefined, "the message has arrived");
      // The request is behind it on the wire.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const moved = move(5000);
      setTimeout(() => release!(), 100);
      assert.equal(await reply, "second answers 1");
      await moved;
      assert.deepEqual(calls, ["second 1"]);
    });
  }

  it("is handled again by the other process, if its handler does not end in the time for the stop", async (t) => {
    const { connection, move } = await site(t, "websocket", (name) => ({
      request: (data) => (name === "first" ? new Promise<string>(() => {}) : `${name} answers ${data}`),
    }));
    const reply = connection.request("1");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await move(100);
    assert.equal(await reply, "second answers 1");
  });

  it("is not handled by the other process if its client has cancelled it", async (t) => {
    const calls: string[] = [];
    let release: (() => void) | undefined;
    const { connection, move } = await site(t, "websocket", (name) => ({
      message: () => (name === "first" ? new Promise<void>((resolve) => (release = resolve)) : undefined),
      request(data) {
        calls.push(`${name} ${data}`);
        return data === "endless" ? new Promise<string>(() => {}) : `${data}`;
      },
    }));
    const stop = new AbortController();
    const all = [connection.request("endless", { signal: stop.signal })];
    await until(() => calls.length === 1, "the handler runs");
    connection.send("busy");
    await until(() => release !== undefined, "the message has arrived");
    all.push(connection.request("waits", { signal: stop.signal }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    stop.abort();
    for (const cancelled of all) await assert.rejects(cancelled, { name: "AbortError" });
    await new Promise((resolve) => setTimeout(resolve, 200));
    release!();
    await move(300);
    assert.equal(await connection.request("last"), "last");
    assert.deepEqual(calls, ["first endless", "second last"]);
  });

  it("of the server rejects with REQUEST_LOST at once, so that a handler that awaits it does not hold the move up", async (t) => {
    const codes: unknown[] = [];
    const { connection, channels, move } = await site(t, "websocket", (name) => ({
      async request(_, channel) {
        if (name === "second") return "second";
        for (const n of ["1", "2"]) await channel.request(n).catch(({ code }) => codes.push(code));
        return "first";
      },
    }));
    let isAsked = false;
    connection.onRequest(() => {
      isAsked = true;
      return new Promise<string>(() => {});
    });
    await until(() => channels.first.length === 1, "the session is open");
    const reply = connection.request("x");
    await until(() => isAsked, "the client is asked");
    const begun = performance.now();
    await move(20_000);
    assert.ok(performance.now() - begun < 20_000, "the handler has ended");
    assert.equal(await reply, "first");
    assert.deepEqual(codes, ["REQUEST_LOST", "REQUEST_LOST"]);
  });

  it("rejects with REQUEST_LOST if the server has asked, and a reply that comes later is dropped", async (t) => {
    const { connection, channels, move } = await site(t, "websocket", () => ({}));
    let release: ((reply: string) => void) | undefined;
    connection.onRequest((data) =>
      data === "old" ? new Promise<string>((resolve) => (release = resolve)) : `client answers ${data}`,
    );
    await until(() => channels.first.length === 1, "the session is open");
    const lost = assert.rejects(channels.first[0]!.request("old"), { code: "REQUEST_LOST" });
    await until(() => release !== undefined, "the client was asked");
    await move(100);
    await lost;
    await until(() => channels.second.length === 1, "the session has moved");
    const asked = channels.second[0]!.request("new");
    release!("late");
    assert.equal(await asked, "client answers new");
  });
});
