// The proof: numbered messages in both directions at once, through a network that does what networks do. Every one of them
// arrives once and in order, or the application is told that the session is lost.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../src/client/connect.ts";
import type { Connection, ConnectOptions } from "../../src/client/connection.ts";
import type { WebSocketConstructor } from "../../src/client/endpoint.ts";
import { type Environment, platform } from "../../src/client/environment.ts";
import { type Channel, type ChannelRequest, openSession, type SessionOptions, serve } from "../../src/index.ts";
import { FaultProxy, type Faults } from "../support/fault-proxy.ts";
import { needs } from "../support/needs.ts";
import { freePort, startHaproxy, startNginx } from "../support/proxies.ts";
import { serving } from "../support/serving.ts";
import { turn, until } from "../support/wait.ts";

/** After so long without a message that arrives a conversation has failed. Generous: the machine may be busy. */
const PATIENCE_MS = 30_000;

/** Waits of the client are a twentieth, so that what takes seconds in life takes none of ours. */
const hurried: Environment = {
  ...platform,
  clock: {
    ...platform.clock,
    now: () => 20 * platform.clock.now(),
    setTimer: (fn, delayMs) => platform.clock.setTimer(fn, delayMs / 20),
  },
};

interface Conversation {
  readonly faults: FaultProxy["faults"];
  readonly messages: number;
  readonly client?: ConnectOptions;
  readonly server?: SessionOptions;
  readonly seed?: number;
  /** Puts another proxy before the server; returns the port to use instead. */
  readonly before?: (port: number) => Promise<number>;
  /** Called at each message that the client got. */
  readonly during?: (received: number, proxy: FaultProxy, connection: Connection) => void;
}

interface Outcome {
  readonly connection: Connection;
  readonly proxy: FaultProxy;
  readonly transports: readonly string[];
}

/** Both sides send `messages`, in bursts; resolves when both have all of them. */
async function converse(t: TestContext, conversation: Conversation): Promise<Outcome> {
  const { faults, messages, during, seed = 1 } = conversation;
  /** By session: a race begins more than one, and the client goes on with one of them. */
  const atServer = new Map<Channel, string[]>();
  const up = (): string[] => [...atServer.values()].find((messages) => messages.length > 0) ?? [];
  const atClient: string[] = [];
  const transports: string[] = [];
  const { server } = await serving(t, (request) =>
    openSession(
      request,
      {
        open: (channel) => {
          atServer.set(channel, []);
          void talk(
            messages,
            (text) => channel.send(text),
            () => (channel.isOpen ? channel.bufferedAmount : 0),
          );
        },
        message: (message, channel) => atServer.get(channel)!.push(shorten(message)),
      },
      conversation.server,
    ),
  );
  const port = (await conversation.before?.(server.port)) ?? server.port;
  const proxy = await FaultProxy.start(t, port, { faults, seed });
  const connection = connect(proxy.url, {
    environment: hurried,
    backoff: { firstMs: 100, capMs: 2000 },
    WebSocket: WebSocket as unknown as WebSocketConstructor,
    ...conversation.client,
  });
  t.after(() => connection.close());
  const lost: unknown[] = [];
  connection.onOpen(({ session, transport }) => {
    transports.push(transport);
    if (session === "lost") lost.push(session);
  });
  connection.onError((error) => {
    // Rounds in which no carrier opened are what these networks are for.
    if ((error as { code?: string }).code !== "CONNECT_FAILED") lost.push(error);
  });
  connection.onMessage((message) => {
    atClient.push(shorten(message));
    during?.(atClient.length, proxy, connection);
  });
  const talking = talk(
    messages,
    (text) => connection.send(text),
    () => connection.bufferedAmount,
  );
  let arrived = 0;
  let deadline = Date.now() + PATIENCE_MS;
  while (up().length < messages || atClient.length < messages) {
    assert.deepEqual(lost, []);
    const sum = up().length + atClient.length;
    if (sum > arrived) {
      arrived = sum;
      deadline = Date.now() + PATIENCE_MS;
    }
    if (Date.now() > deadline) {
      assert.fail(`${up().length} up, ${atClient.length} down of ${messages}; ${connection.state} ${transports}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await talking;
  for (const [id, expected] of Array.from({ length: messages }, (_, id) => shorten(numbered(id))).entries()) {
    assert.equal(up()[id], expected, `up, ${id}`);
    assert.equal(atClient[id], expected, `down, ${id}`);
  }
  assert.equal([...atServer.values()].filter((messages) => messages.length > 0).length, 1, "in one session");
  return { connection, proxy, transports };
}

/** Message number `id`: text of many lengths, some with line breaks, some binary. */
function numbered(id: number): string | Uint8Array<ArrayBuffer> {
  const text = `${id}:${["\r", "\n", " ", "é", "😀"][id % 6] ?? ""}${"x".repeat((id * 37) % 500)}`;
  return id % 5 === 0 ? new TextEncoder().encode(text) : text;
}

/** A message's kind, length and beginning: enough to tell it from all others. */
function shorten(message: string | Uint8Array): string {
  if (typeof message !== "string") return `binary ${shorten(new TextDecoder().decode(message))}`;
  return `${message.length} ${message.slice(0, 12)}`;
}

async function talk(
  messages: number,
  send: (message: string | Uint8Array<ArrayBuffer>) => boolean,
  buffered: () => number,
): Promise<void> {
  for (let id = 0; id < messages; id++) {
    const deadline = Date.now() + PATIENCE_MS;
    while (buffered() > 200_000 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 2));
    // The session of a candidate that was not selected is over soon.
    if (!send(numbered(id))) return;
    if (id % 25 === 24) await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

describe("Messages in both directions arrive once and in order", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`over ${carrier} without faults`, async (t) => {
      const { transports } = await converse(t, { faults: {}, messages: 1000, client: { carriers: [carrier] } });
      assert.deepEqual(transports, [carrier]);
    });

    it(`over ${carrier} when connections are cut at any byte`, async (t) => {
      const faults: Faults = { cutAfterBytes: [300, 60_000] };
      const { proxy } = await converse(t, { faults, messages: 2000, client: { carriers: [carrier] } });
      assert.ok(proxy.accepted > 10, `${proxy.accepted}`);
    });

    it(`over ${carrier} when what was passed comes late, and is then cut`, async (t) => {
      const faults: Faults = { delayMs: [0, 6], cutAfterBytes: [5000, 90_000] };
      await converse(t, { faults, messages: 1000, client: { carriers: [carrier] }, seed: 2 });
    });

    it(`over ${carrier} when connections stall and stay`, async (t) => {
      const faults: Faults = { stallAfterBytes: [20_000, 200_000] };
      await converse(t, { faults, messages: 1000, client: { carriers: [carrier] }, server: { heartbeatMs: 10_000 } });
    });
  }

  it("when frames are swallowed after the upgrade: on a stream", async (t) => {
    const { transports } = await converse(t, { faults: { swallowFrames: true }, messages: 1000 });
    assert.equal(transports[0], "sse");
  });

  it("when the upgrade is stripped: on a stream", async (t) => {
    const { transports } = await converse(t, { faults: { stripUpgrade: true }, messages: 1000 });
    assert.equal(transports[0], "sse");
  });

  it("when responses are held back until they end, and frames are swallowed: by polls", async (t) => {
    const faults: Faults = { bufferDownstream: true, swallowFrames: true };
    const { transports } = await converse(t, { faults, messages: 1000 });
    assert.equal(transports[0], "poll");
  });

  it("through a gateway that has nothing behind it for a while", async (t) => {
    await converse(t, { faults: {}, messages: 1000, during: forAWhile({ badGateway: true }) });
  });

  it("through a network that accepts connections and is silent for a while", async (t) => {
    await converse(t, { faults: {}, messages: 1000, during: forAWhile({ halfOpen: true }) });
  });

  it("through a network that refuses connections for a while", async (t) => {
    await converse(t, { faults: {}, messages: 1000, during: forAWhile({ refuse: true }) });
  });

  it("when the network changes again and again, and the connection moves between carriers", async (t) => {
    const networks: Faults[] = [{ stripUpgrade: true }, {}, { swallowFrames: true, bufferDownstream: true }];
    let moves = 0;
    const { transports } = await converse(t, {
      faults: {},
      messages: 3000,
      during: (received, proxy) => {
        if (received % 300 !== 0) return;
        proxy.faults = networks[moves++ % networks.length]!;
        proxy.cut();
      },
    });
    assert.ok(new Set(transports).size > 1, transports.join());
  });

  it("when anything may happen to any connection", async (t) => {
    const all: Faults[] = [
      {},
      {},
      { cutAfterBytes: [1, 30_000] },
      { cutAfterBytes: [1, 100_000], delayMs: [0, 5] },
      { stallAfterBytes: [1000, 100_000] },
      { stripUpgrade: true },
      { swallowFrames: true },
      { bufferDownstream: true },
      { badGateway: true },
      { halfOpen: true },
      { refuse: true },
    ];
    for (const seed of [11, 12]) {
      await converse(t, {
        faults: (random) => random.pick(all),
        messages: 1000,
        seed,
        server: { heartbeatMs: 10_000 },
      });
    }
  });
});

describe("Behind a proxy as it comes", () => {
  /** All messages both ways through what `start` puts before the server; on which carrier. */
  async function through(
    t: TestContext,
    start: (port: number, upstream: number) => Promise<void>,
  ): Promise<readonly string[]> {
    const port = await freePort();
    const before = async (upstream: number): Promise<number> => {
      await start(port, upstream);
      return port;
    };
    return (await converse(t, { faults: {}, messages: 2000, before })).transports;
  }

  it("nginx: on a stream, for it passes no upgrade on", { skip: needs("nginx") }, async (t) => {
    const transports = await through(t, (port, upstream) =>
      startNginx(
        t,
        port,
        `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${upstream}; } }`,
      ),
    );
    assert.deepEqual(transports, ["sse"]);
  });

  it("nginx that holds streams back: by polls", { skip: needs("nginx") }, async (t) => {
    const { server } = await serving(t, (request) =>
      openSession(request, { message: (message, channel) => channel.send(message) }),
    );
    const port = await freePort();
    const pass = `proxy_pass http://127.0.0.1:${server.port}; proxy_ignore_headers X-Accel-Buffering;`;
    await startNginx(t, port, `server { listen 127.0.0.1:${port}; location / { ${pass} } }`);
    const connection = connect(`http://127.0.0.1:${port}`, { environment: hurried });
    t.after(() => connection.close());
    const echoes: unknown[] = [];
    connection.onMessage((message) => echoes.push(message));
    for (const text of ["one", "two", "three"]) {
      connection.send(text);
      await until(() => echoes.at(-1) === text, text);
    }
    assert.equal(connection.transport, "poll");
  });

  it("haproxy: on a WebSocket", { skip: needs("haproxy") }, async (t) => {
    const timeouts = "timeout connect 5s\n timeout client 50s\n timeout server 50s";
    const transports = await through(t, (port, upstream) =>
      startHaproxy(
        t,
        port,
        `defaults\n mode http\n ${timeouts}\nlisten all\n bind 127.0.0.1:${port}\n server one 127.0.0.1:${upstream}`,
      ),
    );
    assert.deepEqual(transports, ["websocket"]);
  });
});

describe("A server that is started again", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`has lost the session of a ${carrier}: the application is told, and what of its messages nobody knows`, async (t) => {
      const arrived: string[] = [];
      const options = { port: 0, host: "127.0.0.1" };
      const handler = (request: ChannelRequest): Channel =>
        openSession(request, { message: (message) => arrived.push(shorten(message)) });
      let server = await serve(handler, options);
      t.after(() => server.stop({ graceMs: 0 }));
      const proxy = await FaultProxy.start(t, () => server.port);
      const connection = connect(proxy.url, {
        environment: hurried,
        WebSocket,
        carriers: [carrier],
        backoff: { firstMs: 100, capMs: 2000 },
      });
      t.after(() => connection.close());
      const doubtful: string[] = [];
      let losses = 0;
      connection.onOpen(({ session, unacknowledged }) => {
        if (session !== "lost") return;
        losses++;
        for (const message of unacknowledged as Uint8Array[]) {
          doubtful.push(shorten(message));
          connection.send(message);
        }
      });
      for (let id = 0; id < 3000; id++) {
        connection.send(numbered(id));
        if (id % 1000 === 500) {
          await server.stop({ graceMs: 0 });
          server = await serve(handler, options);
          await until(() => connection.state === "open" && losses > 0, "it is connected again");
        }
        if (id % 50 === 0) await turn();
      }
      await connection.drained();
      assert.ok(losses >= 3, `${losses}`);
      // A message that was not reported arrived once; one that was sent again arrived, perhaps twice.
      const counts = new Map<string, number>();
      for (const message of arrived) counts.set(message, (counts.get(message) ?? 0) + 1);
      for (let id = 0; id < 3000; id++) {
        const message = shorten(numbered(id));
        const count = counts.get(message) ?? 0;
        if (doubtful.includes(message)) assert.ok(count >= 1, message);
        else assert.equal(count, 1, message);
      }
    });
  }
});

/** From message 300 on nothing but these faults, for some time. */
function forAWhile(faults: Faults): NonNullable<Conversation["during"]> {
  return (received, proxy) => {
    if (received !== 300) return;
    proxy.faults = faults;
    proxy.cut();
    setTimeout(() => {
      proxy.faults = {};
      proxy.cut();
    }, 300);
  };
}
