// A server without a listener, as an adapter for another server has one: it gets exchanges that know no socket, and a
// source of connections or none. Time is the test's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { afterReads } from "../../src/base/after-reads.ts";
import { type Channel, type CloseStatus, type Handler, type ServeOptions, withChannel } from "../../src/index.ts";
import { ExchangeServer } from "../../src/server/exchange-server.ts";
import type { ExchangeSource, OpenConnection } from "../../src/server/exchange-source.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { MemoryExchange } from "../support/memory-exchange.ts";
import { deferred, until } from "../support/wait.ts";

const EVENT_STREAM = { fields: ["Accept", "text/event-stream"] };

interface Site {
  readonly server: ExchangeServer;
  readonly clock: VirtualClock;
  readonly reports: unknown[];
}

function starting(t: TestContext, handler: Handler, options: ServeOptions = {}, source?: ExchangeSource): Site {
  const clock = new VirtualClock();
  const reports: unknown[] = [];
  const onError = (error: unknown): void => void reports.push(error);
  const server = new ExchangeServer(handler, { onError, ...options }, { clock });
  server.start(source);
  t.after(() => stopping(server, clock, 0));
  return { server, clock, reports };
}

/** Stops the server while time passes. Returns after how many milliseconds the stop was over. */
async function stopping(server: ExchangeServer, clock: VirtualClock, graceMs: number): Promise<number> {
  const stopped = server.stop({ graceMs });
  // The stop does the same first, in real time.
  await new Promise<void>(afterReads);
  let ms = 0;
  for (; ; ms += 100) {
    for (let turns = 0; turns < 8; turns++) await new Promise(setImmediate);
    if (server.status === "stopped") break;
    clock.advance(100);
  }
  await stopped;
  return ms;
}

/** A handler that opens a channel for each request. */
function opening(): { handler: Handler; channels: Channel[]; closed: CloseStatus[] } {
  const channels: Channel[] = [];
  const closed: CloseStatus[] = [];
  const handler: Handler = (request) =>
    withChannel(request, (channel) => {
      channels.push(channel);
      channel.onClose((status) => closed.push(status));
    });
  return { handler, channels, closed };
}

describe("a server without a listener", () => {
  it("answers a request, and counts it", (t) => {
    const { server } = starting(t, ({ method, path, host, remoteAddress }) => {
      return `${method} ${path} of ${host} from ${remoteAddress}`;
    });
    const exchange = new MemoryExchange(server, "/hello?a=b");
    assert.equal(exchange.response?.status, 200);
    assert.equal(exchange.body, "GET /hello of memory.example from 192.0.2.1");
    const { requests, responses, connections, channels } = server.stats();
    assert.deepEqual({ requests, ok: responses["2xx"], connections }, { requests: 1, ok: 1, connections: 0 });
    assert.deepEqual(channels, { websocket: 0, sse: 0, stream: 0, poll: 0 });
  });

  it("applies the options of serve to an exchange", (t) => {
    const { server } = starting(t, () => "ok", { allowedHosts: ["other.example"], logger: console });
    t.mock.method(console, "warn", () => {});
    assert.equal(new MemoryExchange(server, "/").response?.status, 421);
    const behind = starting(t, (request) => request.remoteAddress, { trustedProxies: ["192.0.2.0/24"] });
    const exchange = new MemoryExchange(behind.server, "/", { fields: ["X-Forwarded-For", "198.51.100.9"] });
    assert.equal(exchange.body, "198.51.100.9");
  });

  it("answers 500 where the handler throws, and reports the error", (t) => {
    const { server, reports } = starting(t, () => {
      throw new Error("of the handler");
    });
    assert.equal(new MemoryExchange(server, "/").response?.status, 500);
    assert.match(String(reports), /of the handler/);
    assert.deepEqual(server.stats().errors, { handler: { OTHER: 1 } });
  });

  it("carries an event stream, with comments while it is silent, until the client leaves", async (t) => {
    const { handler, channels, closed } = opening();
    const { server, clock } = starting(t, handler, { pingIntervalMs: 5000 });
    const exchange = new MemoryExchange(server, "/", EVENT_STREAM);
    await until(() => exchange.response !== undefined, "the head is there");
    assert.equal(exchange.field("content-type"), "text/event-stream");
    channels[0]!.send("first");
    assert.match(exchange.body, /data: first\n\n$/);
    assert.equal(server.stats().channels.sse, 1);
    const before = exchange.body.length;
    for (let ms = 0; ms < 6000; ms += 500) clock.advance(500);
    assert.match(exchange.body.slice(before), /^:/);
    exchange.leave();
    await until(() => closed.length === 1, "its close handler runs");
    assert.equal(server.stats().channels.sse, 0);
    assert.equal(server.stats().messagesSent, 1);
  });

  it("holds a poll until there is an answer", async (t) => {
    const { handler, channels } = opening();
    const { server } = starting(t, handler);
    const exchange = new MemoryExchange(server, "/");
    await until(() => channels.length === 1, "it is parked");
    assert.equal(exchange.isAnswered, false);
    channels[0]!.send("late");
    assert.deepEqual([exchange.response?.status, exchange.body, exchange.isEnded], [200, "late", true]);
  });
});

/** A file of src and all that it imports, types included. */
function withImports(file: string, found: Map<string, string> = new Map()): Map<string, string> {
  if (found.has(file)) return found;
  const source = readFileSync(file, "utf8");
  found.set(file, source);
  for (const [, name] of source.matchAll(/from "(\.[^"]+)";/g)) withImports(join(file, "..", name!), found);
  return found;
}

describe("the sources of a server without a listener", () => {
  /** Files that name a type of sockets. */
  const withSockets = (file: string): string[] =>
    [...withImports(file)]
      .filter(([, source]) => /\b(Socket|TLSSocket)\b.* from "node:/.test(source))
      .map(([name]) => name);

  it("name no socket, nor does any file that they import", () => {
    assert.deepEqual(withSockets("src/server/exchange-server.ts"), []);
    assert.ok(withSockets("src/server/listener.ts").includes("src/server/net-stream.ts"), "the test finds sockets");
  });
});

describe("the stop of a server without a listener", () => {
  it("says goodbye to its channels, and waits for handlers within its grace", async (t) => {
    const { handler, channels, closed } = opening();
    const gate = deferred();
    const { server, clock } = starting(t, (request) =>
      request.path === "/slow" ? gate.promise.then(() => "done") : handler(request),
    );
    const events = new MemoryExchange(server, "/", EVENT_STREAM);
    const poll = new MemoryExchange(server, "/");
    const slow = new MemoryExchange(server, "/slow");
    await until(() => channels.length === 2, "both are open");
    setTimeout(() => gate.resolve(), 20);
    const stopped = stopping(server, clock, Number.POSITIVE_INFINITY);
    assert.equal(server.status, "stopping");
    await stopped;
    assert.match(events.body, /retry: [123]\d{3}\n\n$/);
    assert.equal(poll.response?.status, 503);
    assert.match(poll.field("retry-after")!, /^[123]$/);
    assert.equal(slow.body, "done");
    assert.equal(closed.length, 2);
    assert.equal(server.status, "stopped");
  });

  it("ends with its grace where a handler never answers", async (t) => {
    const { server, clock } = starting(t, () => new Promise(() => {}));
    const exchange = new MemoryExchange(server, "/");
    const ms = await stopping(server, clock, 3000);
    assert.equal(exchange.isAnswered, false);
    assert.ok(ms >= 3000 && ms <= 3500, `${ms} ms`);
  });

  it("says goodbye at once to a channel that a running handler opens", async (t) => {
    const { handler } = opening();
    const gate = deferred();
    const { server, clock } = starting(t, (request) => gate.promise.then(() => handler(request)));
    const exchange = new MemoryExchange(server, "/");
    const stopped = stopping(server, clock, Number.POSITIVE_INFINITY);
    gate.resolve();
    await stopped;
    assert.equal(exchange.response?.status, 503);
  });
});

describe("a source of exchanges", () => {
  /** Writes down what it is asked for. Its one connection closes when the test says so. */
  class Source implements ExchangeSource {
    readonly url = undefined;
    readonly isUnix = false;
    readonly asked: string[] = [];
    /** Runs while the connections are taken that the system has accepted. */
    taking = async (_maxMs: number): Promise<void> => {};
    ticks = 0;
    roomsMade = 0;
    readonly #open = new Set<OpenConnection>([
      {
        ...{ index: 0, remoteAddress: "192.0.2.1", isEncrypted: false, bytesReceived: 10, bytesSent: 20 },
        tick: () => {
          this.ticks += 1;
          return false;
        },
        makeRoom: () => void (this.roomsMade += 1),
      },
    ]);

    get size(): number {
      return this.#open.size;
    }

    snapshot(): readonly OpenConnection[] {
      return [...this.#open];
    }

    close(server: ExchangeServer): void {
      const [connection] = this.#open;
      this.#open.clear();
      server.connectionClosed(connection!);
    }

    stopAccepting(maxMs: number): Promise<void> {
      this.asked.push("stopAccepting");
      return this.taking(maxMs);
    }

    endConnections(): void {
      this.asked.push("endConnections");
    }

    async dropConnections(): Promise<void> {
      this.asked.push("dropConnections");
    }
  }

  it("has its connections counted, ticked twice a second, and asked to make room", async (t) => {
    const source = new Source();
    const { server, clock } = starting(t, () => "ok", { maxTotalReceivedBytes: 1000 }, source);
    server.connectionOpened(source.snapshot()[0]!);
    const { connections, connectionsOpened, bytesReceived, bytesSent } = server.stats();
    assert.deepEqual([connections, connectionsOpened, bytesReceived, bytesSent], [1, 1, 10, 20]);
    const { ticks } = source;
    for (let ms = 0; ms < 5000; ms += 500) clock.advance(500);
    assert.equal(source.ticks, ticks + 10);
    server.received.change(0, 2000);
    await until(() => source.roomsMade === 1, "it was asked");
    server.received.change(2000, 0);
    source.close(server);
    assert.deepEqual([server.stats().connections, server.stats().bytesSent], [0, 20]);
  });

  it("is told of a stop in order, and its connections are waited for", async (t) => {
    const source = new Source();
    const { server, clock } = starting(t, () => "ok", {}, source);
    const stopped = server.stop({ graceMs: 60_000 });
    assert.deepEqual(source.asked, ["stopAccepting"]);
    await until(() => source.asked.length === 2, "requests that had arrived were read");
    assert.deepEqual(source.asked, ["stopAccepting", "endConnections"]);
    clock.advance(59_000);
    for (let turns = 0; turns < 8; turns++) await new Promise(setImmediate);
    assert.equal(server.status, "stopping");
    source.close(server);
    await stopped;
    assert.deepEqual(source.asked, ["stopAccepting", "endConnections", "dropConnections"]);
    assert.equal(server.status, "stopped");
  });

  it("may take connections for half of the grace, which is the limit of the whole stop", async (t) => {
    const source = new Source();
    const { server, clock } = starting(t, () => "ok", {}, source);
    source.taking = async (maxMs) => clock.advance(maxMs);
    const startedAt = clock.now();
    assert.ok((await stopping(server, clock, 1000)) > 0);
    assert.equal(clock.now() - startedAt, 1000);
  });

  it("may open channels while it takes connections: they end, or move to another process, with all others", async (t) => {
    const source = new Source();
    const { handler, channels, closed } = opening();
    const { server, clock } = starting(t, handler, {}, source);
    const moved: boolean[] = [];
    server.service = {
      takes: () => false,
      snapshot: () => [],
      leave: () => {
        moved.push(...channels.map(({ isOpen }) => isOpen));
        return { channels: new Set(), done: Promise.resolve() };
      },
      stop: async () => {},
    };
    source.taking = async () => {
      new MemoryExchange(server, "/", EVENT_STREAM);
      await new Promise(setImmediate);
    };
    await stopping(server, clock, 1000);
    assert.deepEqual(moved, [true]);
    assert.equal(closed.length, 1);
  });

  it("drops its connections when the grace is over", async (t) => {
    const source = new Source();
    const { server, clock } = starting(t, () => "ok", {}, source);
    assert.ok((await stopping(server, clock, 1000)) >= 1000);
    assert.equal(source.size, 1);
    assert.deepEqual(source.asked, ["stopAccepting", "endConnections", "dropConnections"]);
  });
});
